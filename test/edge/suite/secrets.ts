/** No password in anything that the library says, whatever fails, for any driver. */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import type { DatabaseManager, Env } from '@sluice/edge'
import { handleHealth } from '@sluice/edge/health'
import { type Place, proves, type World } from './case.ts'

/** With characters that URLs, JSON, regular expressions and shells treat in ways of their own. */
const passwords = ['hunter2#with%hash@and/slash?.+*', 'Señor🐎 "quoted"\\back']

/** All spellings in which a password may leak. */
function spellings(password: string): string[] {
  const encoded = encodeURIComponent(password)
  const all = [
    password,
    encoded,
    encoded.replace(/%[0-9A-F]{2}/g, each => each.toLowerCase()),
    encodeURI(password),
    JSON.stringify(password).slice(1, -1),
    inspect(password).slice(1, -1),
    btoa(String.fromCharCode(...new TextEncoder().encode(password))),
    // A part that survives whatever splits at the odd characters.
    password.split(/[^\p{L}\p{N}]/u)[0]!,
  ]
  return [...new Set(all)]
}

/** Everything that can be reached from a value, as text. */
function everything(value: unknown, seen = new Set<unknown>()): string {
  if (typeof value !== 'object' && typeof value !== 'function') return String(value)
  if (value === null || seen.has(value)) return ''
  seen.add(value)
  const parts: string[] = []
  for (const key of Reflect.ownKeys(value)) {
    parts.push(String(key))
    try {
      parts.push(everything((value as Record<PropertyKey, unknown>)[key], seen))
    } catch {
      // A getter that throws shows nothing.
    }
  }
  if (value instanceof Error) parts.push(String(value), value.stack ?? '', everything(value.cause, seen))
  if (value instanceof Map) for (const pair of value) parts.push(everything(pair, seen))
  return parts.join('\n')
}

function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch (error) {
    return String(error)
  }
}

interface Failure {
  readonly url: string
  readonly env: Env
  /** What must have gone wrong: otherwise nothing was tested. */
  readonly reasons: readonly string[]
  /** No answer will come: there is nothing to wait for. */
  readonly dark?: boolean
  readonly act?: (manager: DatabaseManager, env: Env) => Promise<unknown>
}

async function shows(world: World, password: string, name: string, failure: Failure): Promise<void> {
  const said: unknown[] = []
  const manager = world.manager({
    ...(failure.dark ? { connectDeadlineMs: 250, queryDeadlineMs: 350 } : {}),
    log: line => void said.push(line),
    onQuery: event => void said.push(event),
    onRouteChange: change => void said.push(change),
  })
  const { env } = failure
  const act = failure.act ?? ((manager, env) => manager.getOptimalConnection(env)`select 1`.execute())
  // Five, so that the breaker opens, logs and tells.
  const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => act(manager, env)))
  for (const outcome of outcomes) {
    assert.equal(outcome.status, 'rejected', `${name}: nothing failed`)
    const error = (outcome as PromiseRejectedResult).reason as Error & { reason?: string }
    assert.ok(failure.reasons.includes(error.reason ?? ''), `${name}: ${error.reason} ${error.stack}`)
    said.push(error)
  }
  said.push(
    await manager
      .getOptimalDrizzle(env)
      .execute('select 1')
      .catch((error: unknown) => error),
    await manager.checkConfig(env),
    manager.getConnectionInfo(),
  )
  for (const page of ['ready', 'database-performance'])
    for (const token of ['', 'let-me-in']) {
      const request = new Request(`http://localhost/api/health/${page}`, {
        headers: { authorization: `Bearer ${token}` },
      })
      const response = await handleHealth(request, env, world.context, {
        ...{ manager, token: 'let-me-in', readyDeadlineMs: 500 },
      })
      said.push(await response!.text(), [...response!.headers])
    }
  const text = said
    .flatMap(each => [
      everything(each),
      json(each),
      inspect(each, { depth: Number.POSITIVE_INFINITY, showHidden: true }),
    ])
    .join('\n')
  for (const spelling of spellings(password)) {
    const at = text.indexOf(spelling)
    assert.ok(at < 0, `${name}: ${spelling} is shown: …${text.slice(Math.max(0, at - 200), at + 100)}…`)
  }
}

const overHttp = (place: Place) => place.way === 'neon by HTTP'

export const secrets = passwords.map((password, at) =>
  proves(
    `a password is shown by no error, log line, hook or health page (${at + 1} of ${passwords.length})`,
    async world => {
      const neon = world.driver === 'neon'
      // A role is the server's, not the database's: others run this at the same time.
      const user = `secretive_${at}${new URL(world.place.url).pathname.replace('/', '_')}`
      await world.lab.query(
        `do $$ begin create role ${user} login; exception when duplicate_object then null; end $$`,
      )
      await world.lab.query(`alter role ${user} password '${password.replaceAll("'", "''")}'`)
      const encoded = encodeURIComponent(password)
      const { host, pathname } = new URL(world.place.url)
      const url = `postgres://${user}:${encoded}@${host}${pathname}`
      const elsewhere = (host: string) => `postgres://${user}:${encoded}@${host}/db`
      const check = (
        name: string,
        url: string,
        reasons: string[],
        more: Pick<Failure, 'act' | 'dark'> = {},
      ) => shows(world, password, name, { url, env: world.env(url), reasons, ...more })

      // It logs in, so that what follows fails for the reason that is named.
      const fine = world.sql({}, url)
      assert.equal((await fine`select 1`).length, 1)

      for (const bad of [
        `postgres://${user}:${encoded}@host:port/db`,
        `postgres://${user}:${encoded}@host:99999/db`,
        `postgres://${user}:${encoded}@host/db?sslmode=sometimes`,
        `mysql://${user}:${encoded}@host/db`,
        `postgres://${user}:${password}@ho st:1:2/db`,
      ])
        await check('a bad URL', bad, ['bad-url'])
      const select = (what: string) => (manager: DatabaseManager, env: Env) =>
        manager.getOptimalConnection(env)`select ${what}::int`.execute()
      await check('an SQL error', url, ['sql'], { act: select('x') })
      // PostgreSQL quotes the user's own text in its errors; a URL in there is redacted too.
      await check('an SQL error that quotes the URL', url, ['sql'], { act: select(url) })
      // By HTTP it is the bridge that logs in, and answers as Neon's proxy does.
      const refused = overHttp(world.place)
        ? ['connection-lost', 'sql', 'refused', 'connect-failed']
        : ['refused']
      await check('an unknown database', url.replace(pathname, '/nowhere'), refused)
      await world.lab.query(`alter role ${user} password 'another'`)
      await check('a wrong password', url, refused)
      const lost = ['connect-failed', 'connection-lost', 'connect-deadline', 'query-deadline']
      await world.lab.fault({ is: 'hang' })
      await check('a dark server', url, lost, { dark: true })
      await world.lab.fault({ is: 'closeAtStartUp', after: 'Authentication' })
      await check('a server that closes during login', url, lost)
      await world.lab.fault({
        is: 'refuseAtStartUp',
        error: { code: '53300', message: `no room for ${url}` },
      })
      await check(
        'a refusal that quotes the URL',
        url,
        overHttp(world.place) ? [...lost, 'sql', 'refused'] : ['refused', 'connect-deadline'],
        { dark: true },
      )
      await world.lab.fault(null)
      if (neon) return
      await check('refused', elsewhere(`127.0.0.1:${await world.lab.closedPort()}`), ['connect-failed'])
      await check('no such host', elsewhere('no-such-host.invalid'), ['connect-failed', 'connect-deadline'])
      // The proxy answers SSLRequest with a no.
      await check('TLS refused', `${url}?sslmode=require`, ['connect-failed'])
      const odd = await world.lab.scripted(['485454502f312e31'])
      await check('no PostgreSQL', elsewhere(`127.0.0.1:${odd}`), ['connect-failed'])
      if (world.place.runtime !== 'workerd')
        await check('no certificate', `${url}?sslmode=verify-full&sslrootcert=/no/such/file`, [
          'connect-failed',
        ])
    },
  ),
)
