/** A statement of the gateway's own on a server connection: its answer goes to no client. */
import { DataRow, type ErrorFields, MessageScanner, parseErrorFields, query, watch } from '@sluice/wire'
import type { AnswerSink, TransactionStatus } from '../exchange/index.ts'
import type { Clock } from '../transport/clock.ts'
import { explained, type ServerConnection } from './server-connection.ts'

const nothing = new Uint8Array(0)

/** For an exchange of the gateway's own whose answer nobody has to hear; a holder hears of a lost connection by itself. */
export const nobody: AnswerSink = {
  onBytes: () => true,
  onReady: () => true,
  onCopyIn: () => {},
  onError: () => nothing,
  onAnswered: () => {},
  onLost: () => {},
}

export type OwnAnswer =
  | { rows: (string | null)[][]; status: TransactionStatus }
  | { error: ErrorFields; status: TransactionStatus }
  | { lost: Error }

/**
 * Sends one simple Query behind whatever is in flight, and tells once how it ended, when all that the server sent with
 * the answer has been read: the connection may then be given on.
 *
 * @param sql one or several statements; the rows of all of them are given in order
 */
export function ask(server: ServerConnection, sql: string, done: (answer: OwnAnswer) => void): void {
  const exchange = server.pipeline.begin(new OwnQuery(server, done))
  // As any simple Query does.
  server.unnamed = null
  server.send(query(sql))
  exchange.open = false
  server.flush()
}

/** How long a server may take to answer what a client's login waits for. */
export interface Patience {
  readonly clock: Clock
  readonly timeoutMs: number
}

/** The same, where nobody else looks at the time: a connection that does not answer is closed. */
export function askWithin(
  { clock, timeoutMs }: Patience,
  server: ServerConnection,
  sql: string,
  done: (answer: OwnAnswer) => void,
): void {
  const cancelTimer = clock.after(timeoutMs, () =>
    server.destroy(new Error(`it did not answer within ${timeoutMs / 1_000} s`)),
  )
  ask(server, sql, answer => {
    cancelTimer()
    done(answer)
  })
}

const watched = watch({ whole: [DataRow] })
/** Our own answers are small; what is longer is none of ours. */
const longestRow = 1_048_576
const decoder = new TextDecoder()

class OwnQuery implements AnswerSink {
  readonly #server: ServerConnection
  readonly #done: (answer: OwnAnswer) => void
  readonly #rows: (string | null)[][] = []
  readonly #scanner = new MessageScanner(watched, longestRow)
  #error: ErrorFields | null = null

  constructor(server: ServerConnection, done: (answer: OwnAnswer) => void) {
    this.#server = server
    this.#done = done
  }

  onBytes(chunk: Uint8Array): boolean {
    this.#scanner.feed(chunk, (type, bytes, start, end) => {
      if (type === DataRow) this.#rows.push(readRow(bytes, start, end))
    })
    return true
  }

  onReady(): boolean {
    return true
  }

  onAnswered(status: TransactionStatus): void {
    const answer = this.#error ? { error: this.#error, status } : { rows: this.#rows, status }
    this.#server.afterFeed(() => this.#done(answer))
  }

  onError(bytes: Uint8Array, start: number, end: number): Uint8Array {
    this.#error = parseErrorFields(bytes, start, end)
    return nothing
  }

  onCopyIn(): void {}

  onLost(cause: Error): void {
    this.#done({ lost: explained(cause, this.#error) })
  }
}

function readRow(bytes: Uint8Array, start: number, end: number): (string | null)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const row: (string | null)[] = []
  let at = start + 2
  for (let left = view.getUint16(start); left > 0 && at + 4 <= end; left--) {
    const length = view.getInt32(at)
    at += 4
    if (length === -1) row.push(null)
    else {
      row.push(decoder.decode(bytes.subarray(at, at + length)))
      at += length
    }
  }
  return row
}
