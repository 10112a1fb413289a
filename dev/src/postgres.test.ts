import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PortTaken } from './ports.ts'
import { type PostgresOptions, startPostgres } from './postgres.ts'
import { isRunning, processId } from './processes.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-postgres-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const settings = { fsync: 'off' }
const start = (options: PostgresOptions = {}) => startPostgres({ settings, ...options })

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat()
  } finally {
    await client.end()
  }
}

test('a server without a data folder answers, takes settings, and leaves no file and no process', async () => {
  const server = await start({ settings: { ...settings, wal_level: 'logical' } })
  const me = processId(server.pid)!
  expect(await ask(server.url, 'show wal_level')).toEqual(['logical'])
  await server.stop()
  await server.stop()
  expect(await server.ended).toBe('exit code 0')
  expect(isRunning(me)).toBe(false)
  await expect(access(server.dataFolder)).rejects.toThrow('ENOENT')
  await expect(access(dirname(server.dataFolder))).rejects.toThrow('ENOENT')
})

test('only who has the password is let in, and only from this machine', async () => {
  await using server = await start()
  const wrong = Object.assign(new URL(server.url), { password: 'wrong' }).href
  await expect(ask(wrong, 'select 1')).rejects.toMatchObject({ code: '28P01' })
  expect(await ask(server.url, 'select rolpassword from pg_authid where rolcanlogin')).toEqual([
    expect.stringContaining('SCRAM-SHA-256'),
  ])
  expect(await ask(server.url, 'show listen_addresses')).toEqual(['127.0.0.1'])
})

test('data and password are kept over a stop, and over a kill that leaves a stale pid file', async () => {
  const dataFolder = join(folder, 'kept')
  const first = await start({ dataFolder })
  await ask(first.url, 'create table t as select 1 as a')
  await first.stop()

  const second = await start({ dataFolder, port: first.port })
  expect(second.url).toBe(first.url)
  await ask(second.url, 'insert into t values (2)')
  await second.kill()
  await second.stop()
  await access(join(dataFolder, 'cluster/postmaster.pid'))

  await using third = await start({ dataFolder })
  expect(await ask(third.url, 'select a from t order by a')).toEqual([1, 2])
})

test('a pid file whose id belongs to another process by now does not keep the server from starting', async () => {
  const dataFolder = join(folder, 'kept')
  await (await start({ dataFolder })).stop()
  const lines = [process.pid, join(dataFolder, 'cluster'), 0, 5432, '', '127.0.0.1', '0 0', 'ready', '']
  await writeFile(join(dataFolder, 'cluster/postmaster.pid'), lines.join('\n'), { mode: 0o600 })
  await using server = await start({ dataFolder })
  expect(await ask(server.url, 'select 1')).toEqual([1])
})

test('a server that still holds the data folder is left alone, or ended when that is asked for', async () => {
  const dataFolder = join(folder, 'kept')
  const first = await start({ dataFolder })
  try {
    await expect(start({ dataFolder })).rejects.toThrow(`process ${first.pid}) is running on`)
    expect(await ask(first.url, 'select 1')).toEqual([1])
    await using second = await start({ dataFolder, takeOver: true })
    expect(await first.ended).toBe('exit code 0')
    expect(await ask(second.url, 'select 1')).toEqual([1])
  } finally {
    await first.stop()
  }
})

test('a port that is taken is told apart from other failures, and leaves nothing', async () => {
  const other = net.createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as net.AddressInfo
  await expect(start({ port })).rejects.toThrow(PortTaken)
  other.close()
})

test('a start that is given up, during initdb or before the server is ready, leaves no process and no folder', async () => {
  for (const nth of [1, 2]) {
    const dataFolder = join(folder, `given-up-${nth}`)
    const stop = new AbortController()
    const spawned: number[] = []
    const onSpawn = (pid: number) => {
      if (spawned.push(pid) === nth) stop.abort()
    }
    await expect(start({ dataFolder, signal: stop.signal, onSpawn })).rejects.toThrow('aborted')
    expect(spawned).toHaveLength(nth)
    expect(spawned.map(processId)).toEqual(spawned.map(() => null))
    await expect(access(`${dataFolder}.half`)).rejects.toThrow('ENOENT')
  }
})

test('what an initdb that was killed left is made anew', async () => {
  const dataFolder = join(folder, 'kept')
  await mkdir(`${dataFolder}.half/cluster/base`, { recursive: true })
  await mkdir(join(dataFolder, 'cluster'), { recursive: true })
  await using server = await start({ dataFolder })
  expect(await ask(server.url, 'select 1')).toEqual([1])
})

test("somebody's folder is not taken for the remains of a cluster", async () => {
  await writeFile(join(folder, 'letter.txt'), 'dear')
  await expect(start({ dataFolder: folder })).rejects.toThrow('holds other files than a database of ours')
  expect(await readFile(join(folder, 'letter.txt'), 'utf8')).toBe('dear')
})

test('a server that does not start says why in one line, and where its log is', async () => {
  const dataFolder = join(folder, 'kept')
  const said = await start({ dataFolder, settings: { shared_buffers: 'plenty' } }).catch(
    error => error.message,
  )
  expect(said).toContain('invalid value for parameter "shared_buffers": "plenty"')
  expect(said).toContain(join(dataFolder, 'postgres.log'))
  expect(said).not.toContain('\n')
})

test('an exit of the process that started it takes the server along', async () => {
  const program = `
    const { startPostgres } = await import(${JSON.stringify(import.meta.resolve('./postgres.ts'))})
    const { pid } = await startPostgres({ dataFolder: ${JSON.stringify(join(folder, 'kept'))}, settings: { fsync: 'off' } })
    console.log(pid)
    process.exit()`
  const starter = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(starter.stdout.setEncoding('utf8'), 'data')
  await using next = await start({ dataFolder: join(folder, 'kept'), takeOver: true })
  expect(next.pid).not.toBe(Number(line))
  expect(processId(Number(line))).toBe(null)
})

describe.skipIf(process.getuid?.() !== 0)('as root', () => {
  let path: string | undefined
  beforeEach(() => {
    path = process.env.PATH
  })
  afterEach(() => {
    process.env.PATH = path
  })

  /** As Docker's default profile: the command is there, the kernel says no. */
  async function refuseNamespaces() {
    await writeFile(join(folder, 'unshare'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
    process.env.PATH = `${folder}${delimiter}${path}`
    // mkdtemp made it for root alone.
    await chmod(folder, 0o755)
  }

  const ownerOf = async (file: string) => (await stat(file)).uid
  const users = () => readFile('/etc/passwd', 'utf8')
  const namespaces = (() => {
    try {
      execFileSync('unshare', ['--user', '--map-user=1', 'true'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })()

  test.skipIf(!namespaces)(
    "in a namespace the files stay root's, and a folder closed to others will do",
    async () => {
      const before = await users()
      const closed = await mkdtemp(join(homedir(), '.sluice-test-'))
      try {
        await using server = await start({ dataFolder: join(closed, 'kept') })
        expect(await ask(server.url, 'select 1')).toEqual([1])
        expect(await ownerOf(join(closed, 'kept/cluster'))).toBe(0)
        expect(server.note).toBe(null)
        expect(await users()).toBe(before)
      } finally {
        await rm(closed, { recursive: true })
      }
    },
  )

  test('where namespaces are refused it runs as nobody, and says so', async () => {
    await refuseNamespaces()
    const before = await users()
    const dataFolder = join(folder, 'kept')
    await using server = await start({ dataFolder })
    expect(await ask(server.url, 'select 1')).toEqual([1])
    expect(await ownerOf(`/proc/${server.pid}`)).not.toBe(0)
    expect(server.dataFolder).toBe(dataFolder)
    expect(server.note).toContain('runs as "nobody"')
    expect(await users()).toBe(before)
  })

  test('a folder that nobody can reach is replaced by one that it can, and says so', async () => {
    await refuseNamespaces()
    const closed = await mkdtemp(join(homedir(), '.sluice-test-'))
    let elsewhere: string | undefined
    try {
      const first = await start({ dataFolder: join(closed, 'kept') })
      elsewhere = first.dataFolder
      expect(elsewhere).toMatch(/^\/var\/tmp\/sluice-root\//)
      expect(first.note).toContain(closed)
      await ask(first.url, 'create table t as select 1 as a')
      await first.stop()
      await using second = await start({ dataFolder: join(closed, 'kept') })
      expect(await ask(second.url, 'select a from t')).toEqual([1])
    } finally {
      await rm(closed, { recursive: true })
      if (elsewhere) await rm(elsewhere, { recursive: true })
    }
  })

  test.skipIf(!namespaces)(
    'a cluster made by the one account is opened by the other, both ways',
    async () => {
      const dataFolder = join(folder, 'kept')
      await (await start({ dataFolder })).stop()
      await refuseNamespaces()
      await (await start({ dataFolder })).stop()
      process.env.PATH = path
      await using server = await start({ dataFolder })
      expect(await ask(server.url, 'select 1')).toEqual([1])
    },
  )
})
