/** The transports' own suite: cases that run unchanged on Node and on Bun. */
import type { Transport } from '../transport.ts'

export interface Case {
  /** A sentence that can be false. */
  readonly name: string
  readonly run: (transport: Transport) => Promise<void>
}

export const proves = (name: string, run: Case['run']): Case => ({ name, run })

export interface Outcome {
  readonly name: string
  readonly error: string | null
}

const caseMs = 30_000

/** Runs one case to its end, whatever it does. */
export async function outcomeOf({ name, run }: Case, transport: Transport): Promise<Outcome> {
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    await Promise.race([
      run(transport),
      new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not over after ${caseMs} ms`)), caseMs)
      }),
    ])
    return { name, error: null }
  } catch (error) {
    return { name, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  } finally {
    clearTimeout(timer)
  }
}
