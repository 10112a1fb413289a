import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { DevFile } from './devfile.ts'
import { children, commandLine, end, processId } from './processes.ts'

/** A Worker and a data set that are small; how far the data set gets is the test's choice. */
let folder: string
let starts: Started[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-start-'))
  starts = []
  await writeFile(
    join(folder, 'worker.ts'),
    `export default { fetch: (_, env) => Response.json(Object.keys(env).sort()) }`,
  )
  await dataSet('v1')
})
afterEach(async () => {
  for (const { process, exit } of starts) {
    process.kill('SIGTERM')
    await exit
  }
  // When a test fails early, nobody has ended what a killed start left.
  const lock = await readFile(join(folder, 'kept/lock'), 'utf8').then(JSON.parse, () => null)
  for (const left of lock?.spawned ?? []) await end(left, [{ signal: 'SIGKILL', waitMs: 5_000 }])
  await rm(folder, { recursive: true, force: true, maxRetries: 10 })
})

const dataSet = (version: string, { stopsHalfway = false } = {}) =>
  writeFile(
    join(folder, 'data.ts'),
    `import pg from ${JSON.stringify(import.meta.resolve('pg'))}
    export const dataVersion = ${JSON.stringify(version)}
    export async function makeData(url, onProgress) {
      const client = new pg.Client(url)
      await client.connect()
      await client.query("create table made as select '${version}' as version")
      onProgress(1, 2)
      if (${stopsHalfway}) await client.query('select pg_sleep(1000)')
      onProgress(2, 2)
      await client.end()
    }`,
  )

interface Started {
  process: ChildProcess
  exit: Promise<number | string>
  said(): string
  /** Waits until it has said this. */
  says(text: string): Promise<void>
}

const run = (...more: string[]) => runIn({}, more)

/** In a terminal a start has a process group of its own, with its children in it: `ownGroup`. */
function runIn({ ownGroup = false }, more: string[] = []): Started {
  const start = fileURLToPath(new URL('./start.ts', import.meta.url))
  const words = [
    '--folder',
    join(folder, 'kept'),
    '--worker',
    join(folder, 'worker.ts'),
    '--data',
    join(folder, 'data.ts'),
  ]
  const process_ = spawn(process.execPath, [start, ...words, ...more], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: ownGroup,
  })
  let said = ''
  const hear = (chunk: string) => {
    said += chunk
  }
  process_.stdout.setEncoding('utf8').on('data', hear)
  process_.stderr.setEncoding('utf8').on('data', hear)
  const exit = once(process_, 'close').then(([code, signal]) => code ?? signal)
  const running: Started = {
    process: process_,
    exit,
    said: () => said,
    async says(text) {
      while (!said.includes(text)) {
        const over = await Promise.race([
          exit.then(() => true),
          once(process_.stdout, 'data').then(() => false),
        ])
        if (over && !said.includes(text)) throw new Error(`it ended without saying "${text}":\n${said}`)
      }
    },
  }
  starts.push(running)
  return running
}

const ready = 'Ctrl-C stops everything'
const readDev = async (): Promise<DevFile> =>
  JSON.parse(await readFile(join(folder, 'kept/dev.json'), 'utf8'))
const isGone = (path: string) =>
  access(join(folder, 'kept', path)).then(
    () => false,
    () => true,
  )
const pidsOf = ({ pids }: DevFile) => Object.values(pids) as number[]
const keys = async ({ worker }: DevFile) => await (await fetch(worker)).json()

async function ask({ database }: DevFile, sql: string): Promise<unknown[]> {
  const client = new pg.Client(database)
  await client.connect()
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat()
  } finally {
    await client.end()
  }
}

test('a first start makes the data and says where everything is; Ctrl-C, twice, leaves nothing running', async () => {
  const start = run()
  await start.says(ready)
  const dev = await readDev()
  expect((await stat(join(folder, 'kept/dev.json'))).mode & 0o777).toBe(0o600)
  expect(dev.pids.start).toBe(start.process.pid)
  expect(await keys(dev)).toEqual(['DATABASE_URL', 'HYPERDRIVE'])
  expect(await ask(dev, 'select version from made')).toEqual(['v1'])
  expect(start.said()).toContain(dev.worker)
  expect(start.said()).toContain(dev.database)
  expect(start.said()).not.toMatch(/warn/i)

  start.process.kill('SIGINT')
  start.process.kill('SIGINT')
  expect(await start.exit).toBe(0)
  expect(pidsOf(dev).map(processId)).toEqual([null, null, null])
  expect(await isGone('dev.json')).toBe(true)
  expect(await isGone('lock')).toBe(true)
})

test('a second start says in one line where the first one runs, and does it no harm', async () => {
  const first = run()
  await first.says(ready)
  const dev = await readDev()
  const second = run()
  expect(await second.exit).toBe(1)
  expect(second.said()).toMatch(
    /^sluice: already running as process \d+: Worker http:\S+, gateway on port \d+, PostgreSQL on port \d+\..*\n$/,
  )
  expect(second.said()).toContain(dev.worker)
  expect(await readDev()).toEqual(dev)
  expect(await keys(dev)).toHaveLength(2)
})

test('a killed start leaves servers running; the next one ends them, keeps the data, and runs', async () => {
  const first = run()
  await first.says(ready)
  const dev = await readDev()
  await ask(dev, `update made set version = 'changed by hand'`)
  first.process.kill('SIGKILL')
  await first.exit
  const survivors = [dev.pids.postgres!, dev.pids.workerd].map(processId)
  expect(survivors).not.toContain(null)

  const second = run()
  await second.says(ready)
  expect([dev.pids.postgres!, dev.pids.workerd].map(processId)).toEqual([null, null])
  expect(await ask(await readDev(), 'select version from made')).toEqual(['changed by hand'])
})

test('ports that are taken move to the next free ones, and the banner says so', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  const start = run('--port', `${port}`, '--database-port', `${port}`)
  await start.says(ready)
  expect(start.said()).toContain(`port ${port} was taken, so the Worker is on `)
  expect(start.said()).toContain(`port ${port} was taken, so PostgreSQL is on `)
  expect(await keys(await readDev())).toHaveLength(2)
  taken.close()
})

test('a data set that was cut off, by Ctrl-C or by a kill, or of another version is made anew', async () => {
  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    await dataSet('v1', { stopsHalfway: true })
    const start = run()
    await start.says('Making the data set')
    start.process.kill(signal)
    expect(await start.exit).toBe(signal === 'SIGINT' ? 0 : signal)
  }
  for (const version of ['v1', 'v2']) {
    await dataSet(version)
    const start = run()
    await start.says(ready)
    expect(await ask(await readDev(), 'select version from made')).toEqual([version])
    start.process.kill('SIGTERM')
    expect(await start.exit).toBe(0)
  }
})

test('stopped in the middle of starting it leaves no process, and says nothing but that it stops', async () => {
  for (const nth of [1, 2, 3]) {
    const start = run()
    const pid = await spawned(start, nth)
    start.process.kill('SIGTERM')
    expect(await start.exit).toBe(0)
    expect(start.said().replace(/ *Making .*\n/g, '')).toMatch(/^\s*Stopping …\s*$/)
    expect(processId(pid)).toBe(null)
    expect(await isGone('lock')).toBe(true)
    expect(await isGone('dev.json')).toBe(true)
    // initdb runs in the first start only, so the second one begins without a cluster too.
    await rm(join(folder, 'kept'), { recursive: true })
  }
})

// A Worker that never gets read to its end: a pipe that nobody writes into.
test.skipIf(process.platform === 'win32')(
  "a terminal's Ctrl-C, which ends the bundler too, is no error",
  async () => {
    execFileSync('mkfifo', [join(folder, 'pipe.ts')])
    await writeFile(join(folder, 'worker.ts'), `export { default } from './pipe.ts'`)
    const start = runIn({ ownGroup: true })
    await bundling(start)
    process.kill(-start.process.pid!, 'SIGINT')
    expect(await start.exit).toBe(0)
    expect(start.said().replace(/ *Making .*\n/g, '')).toMatch(/^\s*Stopping …\s*$/)
    expect(await isGone('lock')).toBe(true)
  },
)

async function bundling({ process, said }: Started): Promise<void> {
  while (!children(process.pid!).some(child => commandLine(child).includes('esbuild'))) {
    if (process.exitCode !== null) throw new Error(`it ended before it bundled:\n${said()}`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

/** Waits until the lock file names the nth process that this start has spawned: initdb, PostgreSQL, workerd. */
async function spawned({ process }: Started, nth: number): Promise<number> {
  for (;;) {
    const lock = await readFile(join(folder, 'kept/lock'), 'utf8').then(JSON.parse, () => null)
    if (lock?.spawned[nth - 1]) return lock.spawned[nth - 1].pid
    if (process.exitCode !== null) throw new Error(`it ended before it spawned ${nth} processes`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

test("PostgreSQL's sudden end is said in one line that names its log, and ends the rest", async () => {
  const start = run()
  await start.says(ready)
  const dev = await readDev()
  process.kill(dev.pids.postgres!, 'SIGKILL')
  expect(await start.exit).toBe(1)
  expect(start.said()).toMatch(
    /\nsluice: PostgreSQL ended by itself \(signal SIGKILL\); its log: \S+postgres\.log\n$/,
  )
  expect(processId(dev.pids.workerd)).toBe(null)
})

test("a user's mistake is one line and exit code 1, never a stack trace", async () => {
  await writeFile(join(folder, 'worker.ts'), 'export default {')
  await writeFile(join(folder, 'a-file'), '')
  const mistakes = [
    {
      words: ['--port', 'high'],
      said: /^sluice: --port is not a port: high\. See "npm start -- --help"\.\n$/,
    },
    { words: ['--porte', '1'], said: /^sluice: Unknown option '--porte'.*\n$/ },
    { words: ['--folder', join(folder, 'a-file/kept')], said: /^sluice: ENOTDIR: .*a-file\/kept'\n$/ },
    {
      words: ['--data', join(folder, 'gone.ts')],
      said: /^sluice: the data set can't be loaded: .*gone\.ts.*\n$/,
    },
    { words: [], said: /\nsluice: the Worker can't be bundled: .*worker\.ts:1:\d+: .*\n$/ },
  ]
  for (const { words, said } of mistakes) {
    const start = run(...words)
    expect(await start.exit).toBe(1)
    expect(start.said()).toMatch(said)
  }
})
