/** The second half: a script is said through the gateway, with nothing known of it but what PostgreSQL answered. */
import { Line, Stuck } from './line.ts'
import { encode, type Program } from './program.ts'
import type { Script, Step } from './script.ts'

/** By client; `whole` is false if the run ended before its end, because another client was stuck. */
export interface Result {
  lines: string[]
  whole: boolean
}

export async function through(
  { starts }: Program,
  script: Script,
  url: string,
  patienceMs: number,
): Promise<Result[]> {
  const lines = starts.map(() => new Line())
  const stuck = new Set<Line>()
  const walk = async (steps: readonly Step[]) => {
    for (const { client, says, words, notifications } of steps) {
      const line = lines[client]!
      if (stuck.size > 0) return
      if (says === null) {
        await line.until(() => line.closed, patienceMs)
        await line.open(url, starts[client]!)
      }
      // What was heard so far differs, or it would be open.
      else if (line.closed) return
      else line.send(Buffer.concat(says.map(said => encode(said, client))))
      const { heard } = line
      await line.until(
        () => line.closed || (heard.words.length >= words && heard.notifications.length >= notifications),
        patienceMs,
      )
    }
  }
  for (const round of script)
    await Promise.all(
      round.map(lane =>
        walk(lane).catch(error => {
          const line = lines[lane[0]!.client]!
          stuck.add(line)
          line.heard.mark(error instanceof Stuck ? `is stuck for ${patienceMs} ms` : String(error))
        }),
      ),
    )
  for (const each of lines) each.destroy()
  return lines.map(line => ({ lines: line.heard.lines(), whole: stuck.size === 0 || stuck.has(line) }))
}
