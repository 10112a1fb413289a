import pg from 'pg'
import { describe, expect, inject, test } from 'vitest'
import { createDatabase, freshDatabase, startTlsPostgres } from './postgres.ts'

const database = await freshDatabase()

describe('freshDatabase', () => {
  test('is an empty database of PostgreSQL 18', async () => {
    expect(
      await database.query(`select current_setting('server_version_num')::int / 10000 as major`),
    ).toEqual([{ major: 18 }])
    expect(await database.query(`select * from pg_tables where schemaname = 'public'`)).toEqual([])
  })

  test('counts who is connected, its own questions left out', async () => {
    expect(await database.connections()).toBe(0)
    const client = new pg.Client(database.url)
    await client.connect()
    expect(await database.connections()).toBe(1)
    await client.end()
    await database.connectionsFallTo(0)
  })

  test('has a user who is asked for the password in clear text', async () => {
    const client = new pg.Client(database.clearTextUrl)
    const asked = new Promise(resolve => {
      const { connection } = client as unknown as { connection: NodeJS.EventEmitter }
      connection.once('authenticationCleartextPassword', () => resolve('clear text'))
      connection.once('authenticationSASL', () => resolve('SCRAM'))
    })
    await client.connect()
    expect(await asked).toBe('clear text')
    await client.end()
  })

  test('a database that was dropped is gone, its clients too', async () => {
    const other = await createDatabase()
    const client = new pg.Client(other.url)
    const thrownOut = new Promise(resolve => client.on('error', resolve))
    await client.connect()
    await other.drop()
    expect(await thrownOut).toBeInstanceOf(Error)
    const server = new pg.Client(inject('postgresUrl'))
    await server.connect()
    expect((await server.query('select from pg_database where datname = $1', [other.name])).rowCount).toBe(0)
    await server.end()
  })
})

describe('startTlsPostgres', () => {
  test('proves itself to who knows its authority, by address and by name, and to nobody else', async () => {
    await using postgres = await startTlsPostgres()
    const usesTls = async (connectionString: string, ssl: object) => {
      const client = new pg.Client({ connectionString, ssl })
      try {
        await client.connect()
        return (await client.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()')).rows[0].ssl
      } finally {
        await client.end().catch(() => {})
      }
    }
    expect(await usesTls(postgres.url, { ca: postgres.ca })).toBe(true)
    expect(await usesTls(postgres.localhostUrl, { ca: postgres.ca })).toBe(true)
    await expect(usesTls(postgres.url, {})).rejects.toThrow(/certificate/)
  })
})
