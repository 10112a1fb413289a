/**
 * Writes the list of PostgreSQL's functions that leave the session that calls them as it is:
 * `node scripts/builtin-functions.ts`, after an upgrade of the embedded PostgreSQL.
 *
 * They are all of pg_catalog that SQL can call, less those below. A function that is missing in the list costs a
 * question to the server; one that stands there wrongly would let a client see another's state.
 */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { startPostgres } from '@sluice/dev'
import pg from 'pg'

const target = new URL('../packages/gateway/src/sql/builtin-functions.ts', import.meta.url)

/** They change the session or show what is in it, or run SQL that is in an argument or behind a name. */
const notHarmless = [
  // settings, locks, sequences, prepared statements and channels
  '^set_config$',
  '^pg_(try_)?advisory_(un)?lock',
  '^(nextval|setval|currval|lastval|pg_nextoid)$',
  '^pg_prepared_statement$',
  '^pg_listening_channels$',
  '^setseed$',
  // other backends
  '^pg_(cancel|terminate)_backend$',
  // SQL from an argument, or from tables, views and cursors that it names
  '^(query|cursor|table|schema|database)_to_xml',
  '^ts_(stat|rewrite)$',
  // state that ends with the session: backups, replication origins, temporary slots
  '^pg_backup_(start|stop)$',
  '^pg_replication_origin_session',
  '^pg_(create|copy)_(physical|logical)_replication_slot$',
  // not for users
  '^binary_upgrade_',
]

const sql = `
  select proname
    from pg_proc
   where pronamespace = 'pg_catalog'::regnamespace
   group by proname
  having not bool_and(
           prokind = 'p'
           or prorettype = any ('{internal, trigger, event_trigger, cstring, language_handler, index_am_handler,
                                  table_am_handler, tsm_handler, fdw_handler}'::regtype[])
           or proargtypes::oid[] && '{internal, cstring}'::regtype[]::oid[]
         )
     and not proname ~ $1
   order by proname collate "C"`

await using postgres = await startPostgres()
const client = new pg.Client(postgres.url)
await client.connect()
try {
  const { rows } = await client.query<{ proname: string }>(sql, [notHarmless.join('|')])
  const version = await client.query<{ server_version: string }>('show server_version')
  const names = rows.map(row => row.proname)
  await writeFile(target, asModule(names, version.rows[0]!.server_version))
  console.log(`${names.length} functions in ${fileURLToPath(target)}`)
} finally {
  await client.end()
}

function asModule(names: readonly string[], version: string): string {
  const lines: string[] = ['']
  for (const name of names) {
    const line = lines.at(-1)!
    if (line.length + name.length > 105) lines.push(name)
    else lines[lines.length - 1] = line === '' ? name : `${line} ${name}`
  }
  return `/**
 * Functions of pg_catalog (PostgreSQL ${version}) that leave the session that calls them as it is, and their names.
 * Written by scripts/builtin-functions.ts, where it says what is left out and why.
 */
export const builtinFunctions: ReadonlySet<string> = new Set(
  \`
${lines.join('\n')}
\`
    .trim()
    .split(/\\s+/),
)
`
}
