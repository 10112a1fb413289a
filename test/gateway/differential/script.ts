/** A program as it was run: who said what when, and what each heard before going on. */
import { line, type Said } from './program.ts'

export interface Step {
  client: number
  /** Null: the client logs in. */
  says: readonly Said[] | null
  /** How much the client has heard when it goes on: answers and notifications. */
  words: number
  notifications: number
}

/** Rounds of lanes of steps: lanes of one round go on at the same time. */
export type Script = Step[][][]

/** A script as readable lines. */
export function told(script: Script): string {
  const lines: string[] = []
  for (const round of script)
    for (const [n, lane] of round.entries())
      for (const { client, says } of lane)
        lines.push(
          `${n > 0 ? '  meanwhile, ' : ''}client ${client}: ${says === null ? 'logs in' : says.map(line).join(' │ ')}`,
        )
  return lines.join('\n')
}
