/** The suite in a process of another runtime: each case is a test, each way a `describe`. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LabServer, lazyTlsServer } from './lab.ts'
import { type Case, type Outcome, type Runtime, type Way, ways } from './suite/case.ts'
import { suite } from './suite/index.ts'

const runner = fileURLToPath(new URL('./suite/runner.ts', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))

/** What a process wrote, line by line, as it comes. */
class Running {
  readonly #outcomes = new Map<string, Outcome>()
  readonly #waiting = new Map<string, (outcome: Outcome) => void>()
  readonly ended: Promise<{ code: number | null; stderr: string; other: string[] }>
  #over: string | undefined

  constructor(command: string, args: readonly string[]) {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    const other: string[] = []
    child.stderr.setEncoding('utf8').on('data', chunk => {
      stderr += chunk
    })
    createInterface({ input: child.stdout }).on('line', line => {
      const outcome = outcomeIn(line)
      if (outcome === undefined) other.push(line)
      else this.#take(outcome)
    })
    this.ended = once(child, 'close').then(([code]) => {
      this.#over = `the process ended (${code}) before the case was over: ${stderr}${other.join('\n')}`
      for (const [name, tell] of this.#waiting) tell({ name, error: this.#over, ms: 0 })
      return { code: code as number | null, stderr, other }
    })
  }

  outcome(name: string): Promise<Outcome> {
    const known = this.#outcomes.get(name)
    if (known) return Promise.resolve(known)
    if (this.#over !== undefined) return Promise.resolve({ name, error: this.#over, ms: 0 })
    return new Promise(resolve => this.#waiting.set(name, resolve))
  }

  get unexpected(): Outcome | undefined {
    return this.#outcomes.get('after the last case')
  }

  #take(outcome: Outcome): void {
    this.#outcomes.set(outcome.name, outcome)
    this.#waiting.get(outcome.name)?.(outcome)
  }
}

function outcomeIn(line: string): Outcome | undefined {
  try {
    const value = JSON.parse(line) as Outcome
    return typeof value.name === 'string' && 'ms' in value ? value : undefined
  } catch {
    return undefined
  }
}

const spawnedWays = (Object.keys(ways) as Way[]).filter(way => way !== 'postgres through the binding')

export interface SpawnedOptions {
  readonly command: string
  readonly args?: readonly string[]
  readonly only?: (one: Case) => boolean
  /** Outside workerd a binding is a URL like another: one driver through it is enough. */
  readonly ways?: readonly Way[]
  /** See `LabServer.start`. */
  readonly through?: (url: string) => Promise<string>
}

export function runsTheSuite(
  runtime: Runtime,
  { command, args = [], only = () => true, ways = spawnedWays, through }: SpawnedOptions,
): void {
  const cases = suite.filter(only)
  const tls = lazyTlsServer()
  afterAll(tls.stop)
  const names = JSON.stringify(cases.map(({ name }) => name))
  const running = new Map<Way, { lab: LabServer; process: Running }>()
  // All ways at once: most of the time is spent waiting for deadlines.
  beforeAll(async () => {
    await Promise.all(
      ways.map(async way => {
        const lab = await LabServer.start(tls.get, through)
        const given = [JSON.stringify(lab.place(runtime, way)), names]
        running.set(way, { lab, process: new Running(command, [...args, runner, ...given]) })
      }),
    )
  })
  afterAll(async () => {
    for (const { lab } of running.values()) await lab.stop()
  })
  for (const way of ways) {
    describe(`${way}:`, () => {
      for (const one of cases) declare(one, way, runtime, () => running.get(way)!.process.outcome(one.name))
      test('the process prints nothing, leaves nothing uncaught, and ends by itself', async () => {
        const { process } = running.get(way)!
        const { code, stderr, other } = await process.ended
        expect({ code, stderr, other, uncaught: process.unexpected?.error }).toEqual({
          ...{ code: 0, stderr: '', other: [], uncaught: undefined },
        })
      })
    })
  }
}

/** One case as a test; what it does not apply to is skipped, with the reason in its name. */
export function declare(one: Case, way: Way, runtime: Runtime, outcome: () => Promise<Outcome>): void {
  const reason = one.skip({ runtime, way, url: '', lab: '', neon: {} as never })
  if (reason) {
    test.skip(`${one.name} (skipped: ${reason})`, () => {})
    return
  }
  test(one.name, async () => {
    const { error } = await outcome()
    if (error !== null) throw new Error(error)
  })
}
