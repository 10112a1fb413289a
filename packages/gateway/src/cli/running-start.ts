/** Where the clone's `npm start` runs: it writes `.sluice/dev.json` when all of it answers, and removes it at its end. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

export const devFile = fileURLToPath(new URL('../../../../.sluice/dev.json', import.meta.url))

/** URL of its Worker, or null if none runs. */
export async function runningStart(file: string): Promise<string | null> {
  try {
    const { worker } = JSON.parse(await readFile(file, 'utf8'))
    return typeof worker === 'string' && URL.canParse(worker) ? worker : null
  } catch {
    return null
  }
}
