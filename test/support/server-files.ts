/**
 * Files in a server's data folder, written through SQL. The server may run as another user, who must own its key and
 * be able to read it; what the server itself writes, it can read.
 */
import pg from 'pg'

/** A role that the server asks for its password in clear text, as Neon's proxy does; it is its own password. */
export const clearTextUser = 'clear_text'

/**
 * Writes a file in the data folder, readable by the server alone.
 *
 * @param client of a superuser
 * @param name its name, relative to the data folder
 */
export async function writeServerFile(client: pg.Client, name: string, text: string): Promise<void> {
  const lines = text
    .trimEnd()
    .split('\n')
    .map(line => pg.escapeLiteral(line))
  const program = `umask 077; cat > '${name}'`
  await client.query(
    `copy (select line from unnest(array[${lines.join(', ')}]) with ordinality as lines (line, at) order by at)
     to program ${pg.escapeLiteral(program)}`,
  )
}

/** Makes the server ask `clearTextUser` for its password in clear text. Holds for connections made afterwards. */
export async function askForClearTextPassword(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ rules: string }>(`select pg_read_file('pg_hba.conf') as rules`)
  // The first rule that fits is taken. COPY's text format would double backslashes and tabs are for looks: one space.
  const rules = rows[0]!.rules
    .split('\n')
    .filter(line => line.trim() !== '' && !line.startsWith('#'))
    .map(line => line.replace(/\s+/g, ' '))
  await writeServerFile(
    client,
    'pg_hba.conf',
    [`host all ${clearTextUser} 127.0.0.1/32 password`, ...rules].join('\n'),
  )
  await client.query('select pg_reload_conf()')
}
