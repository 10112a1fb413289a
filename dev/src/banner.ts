/** What a newcomer sees when everything runs: what is where, and three commands to try. */
import { relative } from 'node:path'

export interface Banner {
  worker: string
  database: string
  dataFolder: string
  readyMs: number
  /** Paths of the Worker that are worth a look. */
  paths: string[]
  /** What a person should know: a port that was taken, an account that PostgreSQL runs as. */
  notes: string[]
}

export function banner({ worker, database, dataFolder, readyMs, paths, notes }: Banner): string {
  return [
    '',
    `  Sluice is running (ready in ${(readyMs / 1000).toFixed(1)} s).`,
    '',
    `  Worker      ${worker}   in workerd, with a Hyperdrive binding to PostgreSQL`,
    `  PostgreSQL  ${database}   its data stays in ${short(dataFolder)}`,
    ...notes.map(note => `  Note        ${note}`),
    '',
    '  Try',
    // Quoted for the question mark, which zsh takes for a pattern.
    ...paths.map(path => `    curl '${worker}${path}'`),
    `    psql '${database}'`,
    '',
    '  Ctrl-C stops everything.',
    '',
  ].join('\n')
}

function short(path: string): string {
  const fromHere = relative('', path)
  return fromHere.startsWith('..') ? path : fromHere
}
