/**
 * The example's data set in a database: there whole and of the right version, or made anew.
 *
 * The version is written as the database's comment, after all else. So it is durable exactly when the data is, goes
 * where the data goes, and is missing when filling was cut off. (`psql -l+` shows it.)
 */
import pg from 'pg'

export interface DataSet {
  version: string
  /** Fills an empty database. */
  make(url: string, onProgress: (done: number, total: number) => void): Promise<void>
}

/** Gives the URL of the database `name` with the data set in it. */
export async function ensureDataSet(
  serverUrl: string,
  name: string,
  { version, make }: DataSet,
  onProgress: (done: number, total: number) => void,
): Promise<string> {
  const url = Object.assign(new URL(serverUrl), { pathname: name }).href
  const client = new pg.Client(serverUrl)
  // A lost connection also rejects the query in flight, which is where it is heard of.
  client.on('error', () => {})
  await client.connect()
  try {
    const marker = `data set ${version}`
    const found = await client.query(
      `select shobj_description(oid, 'pg_database') as marker from pg_database where datname = $1`,
      [name],
    )
    if (found.rows[0]?.marker === marker) return url
    const database = client.escapeIdentifier(name)
    await client.query(`drop database if exists ${database} with (force)`)
    await client.query(`create database ${database}`)
    await make(url, onProgress)
    await client.query(`comment on database ${database} is ${client.escapeLiteral(marker)}`)
    return url
  } finally {
    await client.end().catch(() => {})
  }
}
