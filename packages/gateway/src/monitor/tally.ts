/**
 * What came of the benchmark's requests.
 *
 * Latency figures are of successful answers only (2xx, read to the end). Failed answers, time-outs and requests that
 * were never sent are counted apart: a refusal takes a millisecond, and a time-out as long as we chose to wait.
 */
import { type Answer, isSuccess } from './answer.ts'
import { type Bar, Latencies, type LatencyFigures } from './latencies.ts'
import { parseServerTiming } from './server-timing.ts'

export interface Times {
  dueAt: number
  sentAt: number
  doneAt: number
}

export interface Count {
  readonly what: string
  readonly count: number
}

export interface Figures {
  /** Answered, failed, timed out or expired; not what was under way when it was stopped. */
  readonly requests: number
  readonly succeeded: number
  /** All but the successful. */
  readonly failed: number
  readonly timedOut: number
  readonly expired: number
  /** Under way when the run was stopped: in no other figure. */
  readonly cancelled: number
  /** HTTP statuses of all that was answered. */
  readonly statuses: readonly Count[]
  /** What failed without an answer, in words. */
  readonly errors: readonly Count[]
  /** From when it was due (with a rate) or sent (without) to the last byte of the answer. */
  readonly latency: LatencyFigures
  readonly bars: readonly Bar[]
  /** From sending to the last byte. */
  readonly service: LatencyFigures
  readonly split: Split | null
  /** Routes as Server-Timing names them. */
  readonly routes: readonly Count[]
}

/** Server-Timing over the successful answers that had it. */
export interface Split {
  /** What is left: the network both ways, TLS, and the Worker's own work. */
  readonly network: LatencyFigures
  /** Of answers that opened a connection. */
  readonly connect: LatencyFigures
  readonly query: LatencyFigures
}

const mostBars = 12
/** Ours are `hyperdrive` and `direct`. */
const longestRoute = 40
/** Names are the server's, and each answer may bring another. */
const mostNames = 20

export class Tally {
  readonly latency = new Latencies()
  readonly #service = new Latencies()
  readonly #network = new Latencies()
  readonly #connect = new Latencies()
  readonly #query = new Latencies()
  readonly #statuses = new Map<string, number>()
  readonly #errors = new Map<string, number>()
  readonly #routes = new Map<string, number>()
  /** How many queries an answer's `query` is the mean of. */
  readonly #samples: number
  succeeded = 0
  failed = 0
  timedOut = 0
  cancelled = 0

  constructor(samples: number) {
    this.#samples = samples
  }

  record(answer: Answer, { dueAt, sentAt, doneAt }: Times): void {
    switch (answer.kind) {
      case 'cancelled':
        this.cancelled++
        return
      case 'timed out':
        this.timedOut++
        return
      case 'failed':
        this.failed++
        add(this.#errors, answer.why)
        return
      case 'answered':
        add(this.#statuses, `${answer.status}`)
        if (!isSuccess(answer)) {
          this.failed++
          return
        }
        this.succeeded++
        this.latency.record(doneAt - dueAt)
        this.#service.record(doneAt - sentAt)
        this.#split(answer.headers['server-timing'] ?? '', doneAt - sentAt)
        return
      default:
        answer satisfies never
    }
  }

  #split(header: string, serviceMs: number): void {
    const metrics = parseServerTiming(header)
    const query = metrics.get('query')
    if (query?.durationMs == null) return
    const queryMs = query.durationMs * this.#samples
    const connectMs = metrics.get('connect')?.durationMs ?? null
    this.#query.record(queryMs)
    if (connectMs !== null) this.#connect.record(connectMs)
    // The server's clock is another one, and coarse: what is left may come out below nothing.
    this.#network.record(Math.max(0, serviceMs - queryMs - (connectMs ?? 0)))
    if (query.description !== null) add(this.#routes, query.description.slice(0, longestRoute))
  }

  figures(expired: number): Figures {
    const { succeeded, timedOut, cancelled } = this
    const failed = this.failed + timedOut + expired
    return {
      requests: succeeded + failed,
      ...{ succeeded, failed, timedOut, expired, cancelled },
      statuses: counts(this.#statuses),
      errors: counts(this.#errors),
      latency: this.latency.figures(),
      bars: this.latency.bars(mostBars),
      service: this.#service.figures(),
      split: this.#query.count
        ? {
            network: this.#network.figures(),
            connect: this.#connect.figures(),
            query: this.#query.figures(),
          }
        : null,
      routes: counts(this.#routes),
    }
  }
}

function add(counts: Map<string, number>, name: string): void {
  const key = counts.has(name) || counts.size < mostNames ? name : 'others'
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

const counts = (map: Map<string, number>): Count[] =>
  [...map].sort((a, b) => b[1] - a[1]).map(([what, count]) => ({ what, count }))
