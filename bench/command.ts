/** What the benchmarks that take options have in common: how words are read, and a folder that is gone afterwards. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

/** Reads `--name value …`; a word that is wrong, or a RangeError of `read`, tells the usage and ends with exit code 2. */
export async function command<Options>(
  words: readonly string[],
  { usage, names, read }: { usage: string; names: readonly string[]; read(given: Given): Options },
  run: (options: Options, folder: string) => Promise<void>,
): Promise<void> {
  let options: Options
  try {
    const text = { type: 'string' } as const
    const { values } = parseArgs({
      args: [...words],
      options: Object.fromEntries(names.map(name => [name, text])),
    })
    options = read(values as Given)
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
    process.exitCode = 2
    return
  }
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'))
  try {
    await run(options, folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export type Given = Readonly<Record<string, string | undefined>>

/** @throws RangeError */
export function whole(word: string): number {
  if (!/^[1-9]\d*$/.test(word)) throw new RangeError(`"${word}" is no number from 1 on`)
  return Number(word)
}
