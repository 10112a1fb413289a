/** Databases and servers for tests. The run's one server comes from global-setup.ts. */
import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type Postgres, startPostgres } from '@sluice/dev'
import { sslRequest } from '@sluice/wire'
import pg from 'pg'
import { generate } from 'selfsigned'
import { afterAll, inject } from 'vitest'
import { clearTextUser, writeServerFile } from './server-files.ts'

export interface TestDatabase extends AsyncDisposable {
  name: string
  /** Of the superuser, password by SCRAM. */
  url: string
  /** Of a superuser who is asked for the password in clear text: what pipelineConnect of Neon's driver needs. */
  clearTextUrl: string
  /** Runs SQL (several statements, if there are no parameters) on a connection of its own; rows as pg parses them. */
  // biome-ignore lint/suspicious/noExplicitAny: rows are what the test's SQL makes them
  query<Row extends pg.QueryResultRow = any>(text: string, parameters?: unknown[]): Promise<Row[]>
  /** How many clients are connected to it now. */
  connections(): Promise<number>
  /** Waits until no more than `count` clients are connected. Gives up after ten seconds. */
  connectionsFallTo(count: number): Promise<void>
  /** Removes it; who is still connected is thrown out. */
  drop(): Promise<void>
}

/**
 * An empty database for one test file, gone when the file is done.
 *
 *     const database = await freshDatabase()   // at the top of the file, or of a describe
 */
export async function freshDatabase(): Promise<TestDatabase> {
  const database = await createDatabase()
  afterAll(() => database.drop())
  return database
}

/** An empty database, for as long as the test wants: `await using database = await createDatabase()`. */
export async function createDatabase(server: string = inject('postgresUrl')): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '').slice(0, 16)}`
  const url = new URL(server)
  url.pathname = name
  const clearTextUrl = new URL(url)
  clearTextUrl.username = clearTextUser
  clearTextUrl.password = clearTextUser
  // Another database's connection: so that this one can be dropped, and the count leaves it out.
  const admin = (text: string, parameters?: unknown[]) => queryOnce(server, text, parameters)
  const connections = async () => {
    const rows = await admin(
      `select count(*)::int as count from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
      [name],
    )
    return rows[0]!.count as number
  }
  const drop = async () => {
    // A walsender is not thrown out: it goes when it has noticed that its client has.
    await until(
      async () =>
        (await admin('select from pg_replication_slots where database = $1 and active', [name])).length === 0,
      `a replication stream of ${name} does not end`,
    )
    await admin(`drop database if exists ${name} with (force)`)
  }
  await admin(`create database ${name}`)
  return {
    name,
    url: url.href,
    clearTextUrl: clearTextUrl.href,
    query: (text, parameters) => queryOnce(url.href, text, parameters),
    connections,
    async connectionsFallTo(count) {
      await until(async () => (await connections()) <= count, `more than ${count} clients stay in ${name}`)
    },
    drop,
    [Symbol.asyncDispose]: drop,
  }
}

/** PostgreSQL tells nobody when a backend has gone. */
async function until(holds: () => Promise<boolean>, failure: string): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(failure)
    await pause(20)
  }
}

/** Runs SQL on a connection of its own; the rows of the last statement. */
// biome-ignore lint/suspicious/noExplicitAny: rows are what the test's SQL makes them
export async function queryOnce(url: string, text: string, parameters?: unknown[]): Promise<any[]> {
  const client = new pg.Client({ connectionString: url, application_name: 'test' })
  // The server may go down meanwhile: the query's error says so.
  client.on('error', () => {})
  await client.connect()
  try {
    const result: pg.QueryResult | pg.QueryResult[] = await client.query(text, parameters)
    return (Array.isArray(result) ? result.at(-1)! : result).rows
  } finally {
    await client.end()
  }
}

export interface TlsPostgres extends Postgres {
  /** The certificate, in PEM, of the authority that signed the server's. */
  ca: string
  /** `url` with the name that the certificate has beside the address: localhost. */
  localhostUrl: string
}

/**
 * A PostgreSQL of its own that speaks TLS (and plain text to who asks for no TLS). Its certificate is good for
 * 127.0.0.1 and localhost, and signed by an authority made for the occasion.
 *
 *     await using postgres = await startTlsPostgres()
 *     new pg.Client({ connectionString: postgres.url, ssl: { ca: postgres.ca } })
 */
export async function startTlsPostgres(): Promise<TlsPostgres> {
  const { ca, certificate, key } = await makeCertificates()
  const postgres = await startPostgres({ settings: { fsync: 'off' } })
  try {
    const admin = new pg.Client(postgres.url)
    await admin.connect()
    try {
      await writeServerFile(admin, 'server.crt', certificate)
      await writeServerFile(admin, 'server.key', key)
      await admin.query('alter system set ssl = on')
      await admin.query('select pg_reload_conf()')
    } finally {
      await admin.end()
    }
    await speaksTls(postgres.port)
  } catch (error) {
    await postgres.stop()
    throw error
  }
  return { ...postgres, ca, localhostUrl: postgres.url.replace('127.0.0.1', 'localhost') }
}

async function makeCertificates(): Promise<{ ca: string; certificate: string; key: string }> {
  const options = { keyType: 'ec', algorithm: 'sha256' } as const
  const authority = await generate([{ name: 'commonName', value: 'a test authority' }], {
    ...options,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  const server = await generate([{ name: 'commonName', value: 'localhost' }], {
    ...options,
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  })
  return { ca: authority.cert, certificate: server.cert, key: server.private }
}

/** The server takes its new settings when it gets to it. */
async function speaksTls(port: number): Promise<void> {
  const deadline = performance.now() + 10_000
  while ((await answerToSslRequest(port)) !== 'S') {
    if (performance.now() > deadline) throw new Error('the server did not take up TLS; its log says why')
    await pause(20)
  }
}

function answerToSslRequest(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(sslRequest()))
    socket.once('error', reject)
    socket.once('data', answer => {
      resolve(answer.toString('latin1'))
      socket.destroy()
    })
  })
}
