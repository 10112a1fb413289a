/** Nothing is kept of a database whose catalogues the gateway's role may not read; the status says so. */
import { expect, test } from 'vitest'
import { byAge, startCachingGateway } from '../../support/caching-gateway.ts'
import { freshDatabase } from '../../support/postgres.ts'
import { rawClient } from '../../support/raw-client.ts'

test('what keeps the catalogues from being read is said, until they can be', async () => {
  const database = await freshDatabase()
  const role = `blind_${database.name}`
  await database.query(`create role ${role} login password 'pw'; create table t (id int primary key);
    grant select on t to ${role}; revoke select on pg_policy from public`)
  const url = new URL(database.url)
  url.username = role
  url.password = 'pw'
  const gateway = await startCachingGateway(url.href, byAge, { shutdownTimeoutMs: 100 })
  const client = await rawClient(gateway.url)
  const status = async () => {
    await client.query('select id from t')
    return (await client.query('show sluice.cache_status'))[1]
  }
  try {
    const patience = { timeout: 10_000 }
    await expect
      .poll(status, patience)
      .toBe(
        "D(uncacheable: what names mean in this database can't be read: permission denied for table pg_policy)",
      )
    await database.query('grant select on pg_policy to public')
    await expect.poll(status, patience).toMatch(/^D\(hit/)
  } finally {
    client.destroy()
    await gateway.stop()
    await database.query(`drop owned by ${role}; drop role ${role}`)
  }
})
