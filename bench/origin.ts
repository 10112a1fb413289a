/** The PostgreSQL behind all that is compared: in memory as far as it can be, so that what stands before it shows. */
import { type Postgres, startPostgres } from '@sluice/dev'
import pg from 'pg'

export async function startOrigin(settings: Record<string, string> = {}): Promise<Postgres> {
  const ours = { fsync: 'off', max_connections: '300', shared_buffers: '256MB', scram_iterations: '1' }
  const postgres = await startPostgres({ settings: { ...ours, ...settings } })
  await shortenLogins(postgres.url)
  return postgres
}

/** pgbench's clients log in while the time of a measurement runs: the work that a password is to take would fill it. */
async function shortenLogins(url: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  const { user, password } = client
  await client.query(`alter role ${pg.escapeIdentifier(user!)} password ${pg.escapeLiteral(password!)}`)
  await client.end()
}
