/**
 * What a newcomer sees when everything runs: what is where, and three commands to try.
 *
 * A URL has its line to itself, so that nothing wraps at 80 columns; banner.test.ts holds README.md's copy to this.
 */
import { relative } from 'node:path'

/** Of the example's Worker. */
export const examplePaths = ['/api/health/database-performance', '/api/pitches/trending']

export interface Banner {
  worker: string
  /** URL of the gateway. */
  gateway: string
  database: string
  /** Of PostgreSQL; null if it is not ours. */
  dataFolder: string | null
  readyMs: number
  /** Paths of the Worker that are worth a look. */
  paths: string[]
  /** What a person should know: a port that was taken, an account that PostgreSQL runs as. */
  notes: string[]
}

export function banner({ worker, gateway, database, dataFolder, readyMs, paths, notes }: Banner): string {
  return [
    '',
    `  Sluice is running (ready in ${(readyMs / 1000).toFixed(1)} s).`,
    '',
    `  Worker      ${worker}`,
    '              in workerd, with a Hyperdrive binding to the gateway',
    `  Gateway     ${gateway}`,
    '              pools connections, caches answers, on Node; any driver may use it',
    `  PostgreSQL  ${database}`,
    ...(dataFolder === null ? [] : [`              its data stays in ${short(dataFolder)}`]),
    ...notes.flatMap(note => lines(note).map((line, at) => `  ${at === 0 ? 'Note' : '    '}        ${line}`)),
    '',
    '  Try',
    // Quoted for the question mark, which zsh takes for a pattern.
    ...paths.map(path => `    curl '${worker}${path}'`),
    `    psql '${gateway}'`,
    '',
    '  Ctrl-C stops everything.',
    '',
  ].join('\n')
}

/** Broken between words, to stand behind the names in 80 columns. */
const lines = (note: string): string[] => note.match(/\S.{0,64}\S(?=\s|$)|\S+/g) ?? []

function short(path: string): string {
  const fromHere = relative('', path)
  return fromHere.startsWith('..') ? path : fromHere
}
