/** What a newcomer sees when everything runs: what is where, and three commands to try. */
import { relative } from 'node:path'

export interface Banner {
  worker: string
  database: string
  dataFolder: string
  readyMs: number
  /** What a person should know: a port that was taken, an account that PostgreSQL runs as. */
  notes: string[]
}

export function banner({ worker, database, dataFolder, readyMs, notes }: Banner): string {
  return [
    '',
    `  Sluice is running (ready in ${(readyMs / 1000).toFixed(1)} s).`,
    '',
    `  Worker      ${worker}   the pitch platform's API in workerd`,
    `  PostgreSQL  ${database}   its data stays in ${short(dataFolder)}`,
    ...notes.map(note => `  Note        ${note}`),
    '',
    '  Try',
    `    curl ${worker}/api/health/database-performance`,
    `    curl ${worker}/api/pitches?limit=3`,
    `    psql ${database}`,
    '',
    '  Ctrl-C stops everything.',
    '',
  ].join('\n')
}

function short(path: string): string {
  const fromHere = relative('', path)
  return fromHere.startsWith('..') ? path : fromHere
}
