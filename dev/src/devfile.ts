/**
 * `.sluice/dev.json`: where everything is, for scripts. It is there exactly as long as all of it answers.
 *
 * Written under another name and renamed, so a reader never sees half of it; for the owner's eyes only, because the
 * database's URL holds its password.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'

export interface DevFile {
  /** URL of the Worker. */
  worker: string
  /** URL of the gateway before the database, password included. */
  gateway: string
  /** URL of the database, password included. */
  database: string
  /** Process ids. */
  pids: { start: number; postgres?: number; workerd: number }
}

export async function writeDevFile(file: string, content: DevFile): Promise<void> {
  await writeFile(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
}

export const readDevFile = (file: string): Promise<DevFile | null> =>
  readFile(file, 'utf8')
    .then(JSON.parse)
    .catch(() => null)

export const removeDevFile = (file: string): Promise<void> => rm(file, { force: true })
