/**
 * Programs on libpq, run directly and through the gateway: what they print is the same. What is not installed is
 * skipped.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { freshDatabase } from '../support/postgres.ts'

const database = await freshDatabase()

interface Output {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const environment = {
  PATH: process.env.PATH,
  LC_ALL: 'C.UTF-8',
  PGAPPNAME: 'commands',
  PGCONNECT_TIMEOUT: '10',
}
const run = (command: string, ...args: string[]): Promise<Output> =>
  promisify(execFile)(command, args, { env: environment, maxBuffer: 67_108_864, timeout: 100_000 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    error => ({ code: error.code, stdout: error.stdout, stderr: error.stderr || String(error) }),
  )

/** The version that a command tells; null if it is not installed. */
async function versionOf(command: string, ...args: string[]): Promise<number | null> {
  const { code, stdout } = await run(command, ...args)
  return code === 0 ? Number(/\d+(\.\d+)?/.exec(stdout)?.[0] ?? 0) : null
}
const psql = await versionOf('psql', '--version')
const pgbench = await versionOf('pgbench', '--version')
// Debian's, which has Debian's packages: another one may come first in the PATH.
const python = '/usr/bin/python3'
const psycopg = await versionOf(python, '-c', 'import psycopg; print(psycopg.__version__)')

const beside = (file: string) => fileURLToPath(new URL(file, import.meta.url))
const needs = (what: string, version: number | null) => (version === null ? `${what} (not installed)` : what)

describe.each([1, 3, 20])('through a pool of %i', connectionLimit => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startGateway(database.url, { connectionLimit })
  })
  afterAll(() => gateway.stop())

  describe.skipIf(psql === null)(needs('psql', psql), () => {
    const query = (sql: string, parameters = '') => run('psql', `${gateway.url}?${parameters}`, '-XAtc', sql)

    test('prints what it prints directly', async () => {
      const script = ['-Xf', beside('./features.sql')]
      const direct = await run('psql', database.url, ...script)
      const through = await run('psql', gateway.url, ...script)
      expect(direct).toMatchObject({ code: 0, stdout: expect.stringContaining('DROP SCHEMA') })
      expect(masked(through)).toEqual(masked(direct))
    })

    test('stops at the first error, and rolls a single transaction back', async () => {
      const script = [
        '-X',
        '-v',
        'ON_ERROR_STOP=1',
        '-1',
        '-c',
        'create table left_behind (n int)',
        '-c',
        'select 1 / 0',
      ]
      expect(await run('psql', gateway.url, ...script)).toMatchObject({
        code: 1,
        stderr: 'ERROR:  division by zero\n',
      })
      expect(await query(`select to_regclass('left_behind') is null`)).toMatchObject({ stdout: 't\n' })
    })

    test('comes in over TLS, and the channel is bound', async () => {
      const tls = 'sslmode=require&channel_binding=require'
      expect(await query('select 41 + 1', tls)).toEqual({ code: 0, stdout: '42\n', stderr: '' })
    })

    const direct = (psql ?? 0) >= 17
    test.skipIf(!direct)(`comes in over TLS at once${direct ? '' : ' (psql has it since 17)'}`, async () => {
      const tls = 'sslmode=require&sslnegotiation=direct'
      expect(await query('select 41 + 1', tls)).toEqual({ code: 0, stdout: '42\n', stderr: '' })
    })

    test('is told of notifications', async () => {
      const client = spawn('psql', [gateway.url, '-XAt'], { env: environment })
      client.stdin.write('listen of_psql;\nselect 1;\n')
      let heard = ''
      client.stdout.setEncoding('utf8').on('data', text => {
        heard += text
      })
      while (!heard.includes('1\n')) await once(client.stdout, 'data')
      await database.query(`select pg_notify('of_psql', 'heard')`)
      // It looks for them when a statement ends.
      while (!heard.includes('Asynchronous notification "of_psql" with payload "heard"')) {
        client.stdin.write('select 2;\n')
        await once(client.stdout, 'data')
      }
      client.stdin.end('\\q\n')
      await once(client, 'close')
    })
  })

  describe.skipIf(pgbench === null)(needs('pgbench', pgbench), () => {
    // A thread for each client: it stands still until a statement is prepared, whoever is in a transaction.
    const bench = (...args: string[]) => run('pgbench', ...args, gateway.url)
    const ten = ['-c', '10', '-j', '10']
    const done = (count: number) => ({
      code: 0,
      stdout: expect.stringContaining(`processed: ${count}/${count}\n`),
    })

    test('makes its tables', async () => {
      expect(await bench('-i', '-s', '1')).toMatchObject({ code: 0 })
    })

    test.each(['simple', 'extended', 'prepared'])('50 clients read by the %s protocol', async protocol => {
      expect(await bench('-nS', '-M', protocol, '-c', '50', '-j', '2', '-t', '20')).toMatchObject(done(1_000))
    })

    test.each(['simple', 'prepared'])('no balance is lost by the %s protocol', async protocol => {
      expect(await bench('-n', '-M', protocol, ...ten, '-t', '30')).toMatchObject(done(300))
      const [sums] = await database.query(`select (select sum(abalance) from pgbench_accounts) as accounts,
        (select sum(bbalance) from pgbench_branches) as branches, (select sum(delta) from pgbench_history) as history`)
      expect(sums.accounts).toBe(sums.branches)
      expect(sums.history).toBe(sums.branches)
    })

    test.each(['extended', 'prepared'])('pipelines by the %s protocol', async protocol => {
      const script = beside('./pipeline.pgbench')
      expect(await bench('-n', '-M', protocol, '-f', script, ...ten, '-t', '20')).toMatchObject(done(200))
    })
  })

  test.skipIf(psycopg === null)(needs('psycopg does what it does directly', psycopg), async () => {
    const script = [beside('./psycopg-features.py')]
    const more = connectionLimit > 1 ? ['--two'] : []
    const direct = await run(python, ...script, database.url, ...more)
    const through = await run(python, ...script, gateway.url, ...more)
    expect(direct).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(through.stdout)).toEqual(JSON.parse(direct.stdout))
  })
})

/**
 * Without what differs between two runs: times, numbers of objects and temporary schemas, and by how much psql fills up
 * a column or a line that such a number stands in.
 */
const masked = ({ code, stdout, stderr }: Output) => ({
  code,
  stdout: stdout
    .replace(/\b(lo_(?:import|unlink)) \d+/g, '$1 …')
    .replace(/pg_temp_\d+/g, 'pg_temp_…')
    .replace(/^ +| +$/gm, '')
    .replace(/ +/g, ' ')
    .replace(/-{2,}/g, '--'),
  stderr: stderr.replace(/\d{4}-\d\d-\d\d [\d:.]+\+00/g, '…'),
})
