import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { freshDatabase } from '../../../../test/support/postgres.ts'

const database = await freshDatabase()
const entry = fileURLToPath(new URL('sluice.ts', import.meta.url))
const folder = await mkdtemp(join(tmpdir(), 'sluice-serve-'))
afterAll(() => rm(folder, { recursive: true }))

const running = new Set<ChildProcess>()
afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
})

interface Served {
  /** All that it wrote to stderr. */
  said(): string
  /** Resolves once a line has come that matches. */
  says(pattern: RegExp): Promise<RegExpExecArray>
  kill(signal: NodeJS.Signals): void
  /** Its stderr leads nowhere any more. */
  stopReading(): void
  readonly exit: Promise<number | null>
}

function serveOn(runtime: string, words: string[]): Served {
  const child = spawn(runtime, [entry, 'serve', ...words], {
    ...{ cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  })
  running.add(child)
  let text = ''
  child.stderr!.setEncoding('utf8').on('data', chunk => {
    text += chunk
  })
  const exit = once(child, 'exit').then(([code]) => {
    running.delete(child)
    return code as number | null
  })
  const says = async (pattern: RegExp) => {
    for (;;) {
      const found = pattern.exec(text)
      if (found) return found
      await Promise.race([
        once(child.stderr!, 'data'),
        exit.then(code => {
          throw new Error(`it ended with ${code} and said ${text}`)
        }),
      ])
    }
  }
  return {
    said: () => text,
    says,
    kill: signal => child.kill(signal),
    stopReading: () => child.stderr!.destroy(),
    exit,
  }
}

async function address(served: Served): Promise<string> {
  const [, at] = await served.says(/the gateway listens address=(\S+)/)
  return at!
}

function through(at: string, name?: string): pg.Client {
  const url = new URL(database.url)
  url.host = at
  if (name) url.pathname = name
  const client = new pg.Client(url.href)
  client.on('error', () => {})
  return client
}

const bun = fileURLToPath(new URL('../../../../node_modules/.bin/bun', import.meta.url))

describe.each([
  ['Node', process.execPath],
  ['Bun', bun],
])('on %s', (name, runtime) => {
  const serve = (...words: string[]) => serveOn(runtime, words)

  test('with --origin alone, its user is served', async () => {
    const served = serve('--origin', database.url, '--listen', '127.0.0.1:0')
    const client = through(await address(served))
    await client.connect()
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await client.end()
    served.kill('SIGTERM')
    expect(await served.exit).toBe(0)
    expect(served.said()).toContain(`runtime="${name} `)
    expect(served.said()).not.toContain(new URL(database.url).password)
  })

  test('at SIGTERM a running transaction ends as it likes, and an idle client hears 57P01', async () => {
    const served = serve('--origin', database.url, '--listen', '127.0.0.1:0')
    const at = await address(served)
    const [busy, idle] = [through(at), through(at)]
    await Promise.all([busy.connect(), idle.connect()])
    await busy.query('begin')
    const goodbye = once(idle, 'error')
    served.kill('SIGTERM')
    expect((await goodbye)[0]).toMatchObject({ code: '57P01' })
    expect((await busy.query('select 2 as two')).rows).toEqual([{ two: 2 }])
    await busy.query('commit')
    expect(await served.exit).toBe(0)
  })

  test('a second signal does not wait for a transaction', async () => {
    const served = serve('--origin', database.url, '--listen', '127.0.0.1:0')
    const client = through(await address(served))
    await client.connect()
    await client.query('begin')
    served.kill('SIGTERM')
    await served.says(/no new transaction begins/)
    served.kill('SIGTERM')
    expect(await served.exit).toBe(0)
  })

  test('a configuration with a mistake is one line, and exit code 1', async () => {
    await writeFile(join(folder, 'wrong.toml'), 'max_client = 5\n')
    const served = serve('--config', 'wrong.toml')
    expect(await served.exit).toBe(1)
    expect(served.said()).toBe(
      'sluice serve: wrong.toml:1: unknown key "max_client" at the top level; did you mean max_clients?\n',
    )
  })

  test("an origin that refuses the gateway's login is in the log, without the password", async () => {
    const origin = new URL(database.url)
    origin.password = 'not-the-one'
    const served = serve('--origin', origin.href, '--listen', '127.0.0.1:0')
    await served.says(/ error the origin refuses the gateway's login pool=\S+ code=28P01 cause="password /)
    served.kill('SIGTERM')
    expect(await served.exit).toBe(0)
    expect(served.said().match(/refuses the gateway's login/g)).toHaveLength(1)
    expect(served.said()).not.toContain('not-the-one')
  })

  test('an address that is taken is said with the cure', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const served = serve('--origin', database.url, '--listen', `127.0.0.1:${port}`)
    expect(await served.exit).toBe(1)
    expect(served.said()).toBe(
      `sluice serve: it can't listen on 127.0.0.1:${port}: another process listens there: stop it, or give --listen another port\n`,
    )
    server.close()
  })

  test('a log that nobody reads any more stops nobody', async () => {
    const served = serve('--origin', database.url, '--listen', '127.0.0.1:0')
    const client = through(await address(served))
    await client.connect()
    served.stopReading()
    served.kill('SIGHUP')
    expect((await client.query('select pg_sleep(0.1), 1 as one')).rows).toMatchObject([{ one: 1 }])
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await client.end()
    served.kill('SIGTERM')
    expect(await served.exit).toBe(0)
  })

  test('at SIGHUP the new configuration holds, and nobody is dropped', async () => {
    const file = join(folder, `reload-${name}.toml`)
    const withBinding = (binding: string) =>
      writeFile(
        file,
        `listen = "127.0.0.1:0"\n[[hyperdrive]]\nbinding = "${binding}"\norigin = "${database.url}"\n`,
      )
    await withBinding('BEFORE')
    const served = serve('--config', file)
    const at = await address(served)
    const client = through(at, 'BEFORE')
    await client.connect()
    await client.query('begin')
    await expect(through(at, 'AFTER').connect()).rejects.toMatchObject({ code: '3D000' })
    await withBinding('AFTER')
    served.kill('SIGHUP')
    await served.says(/info the configuration was read again/)
    const late = through(at, 'AFTER')
    await late.connect()
    expect((await late.query('select 2 as two')).rows).toEqual([{ two: 2 }])
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await Promise.all([client.end(), late.end()])
    served.kill('SIGTERM')
    expect(await served.exit).toBe(0)
  })

  test('at SIGHUP a configuration with a mistake changes nothing', async () => {
    const file = join(folder, 'sluice.toml')
    await writeFile(
      file,
      'listen = "127.0.0.1:0"\n[[hyperdrive]]\nbinding = "HYPERDRIVE"\norigin = "postgres://nobody@127.0.0.1:1/x"\n',
    )
    const served = serve('--origin', database.url)
    const client = through(await address(served))
    await client.connect()
    await writeFile(file, 'listen = 5\n')
    served.kill('SIGHUP')
    await served.says(/error the configuration was not taken.*sluice\.toml:1: listen is/)
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await client.end()
    served.kill('SIGTERM')
    expect(await served.exit).toBe(0)
  })
})
