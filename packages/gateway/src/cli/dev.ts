/**
 * `sluice dev`: what `npm start` runs in the clone, from any directory of it.
 *
 * It is a file of the clone's and no part of the package: who installs the package has a PostgreSQL and `sluice serve`.
 */
import { access } from 'node:fs/promises'

const start = new URL('../../../../dev/src/start.ts', import.meta.url)

/** It ends the process itself; gives the exit code if it can't begin. */
export async function runDev(words: readonly string[]): Promise<number> {
  try {
    await access(start)
  } catch {
    console.error(
      'sluice dev: it runs in a clone of the repository only; for a PostgreSQL of yours: sluice serve --origin URL',
    )
    return 2
  }
  process.argv = [process.argv[0]!, start.pathname, ...words]
  await import(start.href)
  return 0
}
