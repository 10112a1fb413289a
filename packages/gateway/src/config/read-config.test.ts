import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { generate } from 'selfsigned'
import { afterAll, describe, expect, test } from 'vitest'
import { ConfigError } from './config-error.ts'
import { type Flags, readConfig } from './read-config.ts'
import { caching, configuration, hyperdrive, invalidation, origin, tls, user } from './schema.ts'

const folder = await mkdtemp(join(tmpdir(), 'sluice-config-'))
afterAll(() => rm(folder, { recursive: true }))

async function read(toml: string, flags: Flags = {}, environment: Record<string, string> = {}) {
  await writeFile(join(folder, 'sluice.toml'), toml)
  return readConfig(flags, environment, folder)
}

const minimal =
  '[[hyperdrive]]\nbinding = "HYPERDRIVE"\norigin = "postgres://app:secret@db.example.com/app"\n'

describe('what is taken', () => {
  test('one origin, and the defaults of everything else', async () => {
    expect(await read(minimal)).toEqual({
      file: join(folder, 'sluice.toml'),
      listen: { host: '127.0.0.1', port: 6432 },
      ...{ maxClients: 10_000, loginTimeoutMs: 10_000, shutdownTimeoutMs: 25_000 },
      ...{ logLevel: 'info', certificate: null },
      cache: { mostBytes: 268_435_456, maxResultBytes: 52_428_800 },
      origins: [
        {
          names: ['HYPERDRIVE'],
          origin: { addresses: [{ host: 'db.example.com', port: 5432 }], sslmode: 'prefer' },
          ...{ database: 'app', user: 'app', password: 'secret', anyDatabase: false },
          ...{ users: [], auth: 'scram', roles: 'pg_authid', authRefreshMs: 30_000 },
          ...{ mode: 'transaction', databaseModes: new Map(), userModes: new Map() },
          ...{ connectionLimit: 60, minSize: 5, queueLimit: 10_000, statementLimit: 200 },
          ...{ waitTimeoutMs: 30_000, connectTimeoutMs: 15_000, queryTimeoutMs: 60_000 },
          ...{ idleInTransactionTimeoutMs: 0, idleTimeoutMs: 600_000, maxLifetimeMs: 3_600_000 },
          caching: {
            ...{ disabled: false, maxAgeMs: 60_000, staleWhileRevalidateMs: 15_000 },
            ...{ maxAgeUntoldMs: 0, stable: false, withoutStream: null },
          },
          invalidation: {
            ...{ publication: 'sluice', mayChange: false, refreshMs: 1_000 },
            ...{ heartbeatMs: 1_000, silenceMs: 10_000, idleMs: 300_000 },
          },
        },
      ],
    })
  })

  test('a table in the place of a URL', async () => {
    const toml =
      '[[hyperdrive]]\n[hyperdrive.origin]\nhost = "a:5433,[::1]"\nport = 6000\ndatabase = "d"\nuser = "u"\npassword = "p"\nsslmode = "require"'
    expect((await read(toml)).origins[0]).toMatchObject({
      origin: {
        sslmode: 'require',
        addresses: [
          { host: 'a', port: 5433 },
          { host: '::1', port: 6000 },
        ],
      },
      ...{ database: 'd', user: 'u', password: 'p' },
    })
  })

  test('a text, a number or a word may come from the environment', async () => {
    const toml =
      '[[hyperdrive]]\norigin = { env = "URL" }\norigin_connection_limit = { env = "SIZE" }\nany_database = { env = "ANY" }'
    const environment = { URL: 'postgres://u:123@h/d', SIZE: '7', ANY: 'true' }
    expect((await read(toml, {}, environment)).origins[0]).toMatchObject({
      ...{ user: 'u', password: '123', connectionLimit: 7, anyDatabase: true },
    })
  })

  test('times with a unit, or in seconds', async () => {
    const [first] = (await read(`${minimal}query_timeout = 90\nwait_timeout = "1.5s"\nidle_timeout = "2h"`))
      .origins
    expect(first).toMatchObject({ queryTimeoutMs: 90_000, waitTimeoutMs: 1_500, idleTimeoutMs: 7_200_000 })
  })

  test('users: a password, a verifier, or only how they are served', async () => {
    const verifier = `SCRAM-SHA-256$4096:c2FsdA==$${'A'.repeat(43)}=:${'B'.repeat(43)}=`
    const toml = `${minimal}
[[hyperdrive.user]]
name = "a"
password = "p"
[[hyperdrive.user]]
name = "b"
verifier = "${verifier}"
[[hyperdrive.user]]
name = "migrator"
pool_mode = "session"`
    const [first] = (await read(toml)).origins
    expect(first!.users).toEqual([
      { name: 'a', password: 'p' },
      { name: 'b', verifier: expect.objectContaining({ iterations: 4096 }) },
    ])
    // Without a password it must not be listed: it would come in with an empty one.
    expect(first!.userModes).toEqual(new Map([['migrator', 'session']]))
  })

  test('a mode for an origin, for one of its databases, for a user', async () => {
    const toml = `${minimal}any_database = true
pool_mode = "session"
[[hyperdrive.database]]
name = "shop"
pool_mode = "transaction"
[[hyperdrive.database]]
name = "plain"
[[hyperdrive.user]]
name = "web"
pool_mode = "transaction"`
    expect((await read(toml)).origins[0]).toMatchObject({
      mode: 'session',
      databaseModes: new Map([['shop', 'transaction']]),
      userModes: new Map([['web', 'transaction']]),
    })
  })

  test('min_size gives way to a smaller limit', async () => {
    expect((await read(`${minimal}origin_connection_limit = 3`)).origins[0]).toMatchObject({ minSize: 3 })
  })

  test('sizes with a unit, or in bytes; the largest result gives way to a smaller cache', async () => {
    expect((await read(`cache_size = "1GB"\nmax_result_size = 2048\n${minimal}`)).cache).toEqual({
      ...{ mostBytes: 1_073_741_824, maxResultBytes: 2_048 },
    })
    expect((await read(`cache_size = "64MB"\n${minimal}`)).cache).toEqual({
      ...{ mostBytes: 67_108_864, maxResultBytes: 16_777_216 },
    })
  })

  test('how answers are kept, and how changes are told', async () => {
    const toml = `${minimal}[hyperdrive.caching]
max_age = "24h"
max_age_untold = 5
cache_stable = true
without_stream = "age"
[hyperdrive.invalidation]
publication = "create"
publication_name = "mine"
stream_idle = 0`
    expect((await read(toml)).origins[0]).toMatchObject({
      caching: { maxAgeMs: 86_400_000, maxAgeUntoldMs: 5_000, stable: true, withoutStream: 'age' },
      invalidation: { publication: 'mine', mayChange: true, idleMs: 0 },
    })
  })

  test('roles: all of the origin, those of a query, or none', async () => {
    const query = 'SELECT passwd, true, false FROM auth.users WHERE name = $1'
    expect((await read(`${minimal}auth_query = "${query}"`)).origins[0]!.roles).toEqual({ query })
    expect((await read(`${minimal}roles = "listed"`)).origins[0]!.roles).toBe('none')
  })
})

test('a certificate goes with its key, and paths begin at the file', async () => {
  const made = await Promise.all([0, 1].map(() => generate([{ name: 'commonName', value: 'sluice' }])))
  await writeFile(join(folder, 'c.pem'), made[0]!.cert)
  await writeFile(join(folder, 'k.pem'), made[0]!.private)
  await writeFile(join(folder, 'other.pem'), made[1]!.private)
  const tls = (key: string) => `${minimal}[tls]\ncertificate = "c.pem"\nkey = "${key}"`
  expect((await read(tls('k.pem'))).certificate).toEqual({
    certificate: made[0]!.cert,
    key: made[0]!.private,
  })
  await expect(read(tls('other.pem'))).rejects.toThrow('sluice.toml:6: key is not that of the certificate')
  await expect(read(tls('c.pem'))).rejects.toThrow("sluice.toml:6: key names a file that can't be used: ")
})

describe('flags', () => {
  test('an origin alone needs no file, and every database of it is served', async () => {
    const config = await readConfig({ origin: 'postgres://u@h/d' }, {}, join(folder, 'elsewhere'))
    expect(config).toMatchObject({ file: null, origins: [{ names: [], database: 'd', anyDatabase: true }] })
  })

  test('each wins over the file', async () => {
    const flags = { origin: 'postgres://u@h/d', listen: ':7000', poolSize: '9', logLevel: 'debug' }
    expect(await read(`listen = "h:1"\nlog_level = "warn"\n${minimal}`, flags)).toMatchObject({
      ...{ listen: { host: '::', port: 7000 }, logLevel: 'debug' },
      origins: [{ names: ['HYPERDRIVE'], user: 'u', anyDatabase: false, connectionLimit: 9 }],
    })
  })
})

describe('what is refused, in one line', () => {
  const hyperdriveWith = (line: string) => `${minimal}${line}`

  test.each([
    ['max_client = 5', 'sluice.toml:1: unknown key "max_client" at the top level; did you mean max_clients?'],
    [
      hyperdriveWith('origin_conection_limit = 5'),
      'sluice.toml:4: unknown key "origin_conection_limit" in [[hyperdrive]]; did you mean origin_connection_limit?',
    ],
    [
      hyperdriveWith('max_age = 5'),
      'sluice.toml:4: unknown key "max_age" in [[hyperdrive]]; did you mean max_age in [hyperdrive.caching]?',
    ],
    [
      'pool_mod = "session"',
      'sluice.toml:1: unknown key "pool_mod" at the top level; did you mean pool_mode in [[hyperdrive]]?',
    ],
    [
      '[tls]\nzzz = 1',
      'sluice.toml:2: unknown key "zzz" in [tls]; there are certificate, key, client_authority',
    ],
    ['listen = 6432', 'sluice.toml:1: listen is an address, as "127.0.0.1:6432" or "[::1]:6432", not 6432'],
    ['listen = "h:70000"', 'sluice.toml:1: listen is an address, as'],
    ['max_clients = 0', 'sluice.toml:1: max_clients is a whole number from 1 to 1000000, not 0'],
    ['max_clients = [1]', 'max_clients is a whole number from 1 to 1000000, not a list'],
    ['max_clients = {}', 'max_clients is a whole number from 1 to 1000000, not a table'],
    ['max_clients = 1979-05-27', 'max_clients is a whole number from 1 to 1000000, not a date'],
    ['login_timeout = "10"', 'sluice.toml:1: login_timeout is a time from 1ms to 480h with its unit, as'],
    ['log_level = "Info"', 'log_level is one of "error", "warn", "info", "debug", not "Info"'],
    ['tls = true', 'sluice.toml:1: tls is a table, as [tls]'],
    ['[tls]\ncertificate = "c.pem"', 'sluice.toml:1: key is missing in [tls]: a text that is not empty'],
    [
      `${minimal}[tls]\ncertificate = "none.pem"\nkey = "k.pem"`,
      "sluice.toml:5: certificate names a file that can't be read: ",
    ],
    ['[hyperdrive]', 'sluice.toml:1: hyperdrive is a list of tables: write [[hyperdrive]]'],
    ['hyperdrive = [1]', 'sluice.toml:1: hyperdrive is a list of tables: write [[hyperdrive]]'],
    ['[[hyperdrive]]', 'sluice.toml:1: origin is missing in [[hyperdrive]]: '],
    ['', 'sluice.toml: there is nothing to serve: it has no [[hyperdrive]], and there is no --origin'],
    ['a = ', 'sluice.toml:1: this is not TOML: '],
    ['a = 1\na = 2', 'sluice.toml:2: this is not TOML: Defining a key multiple times is invalid'],
    [
      hyperdriveWith('min_size = 61'),
      'sluice.toml:4: min_size is 61, more than origin_connection_limit allows: 60',
    ],
    [
      'cache_size = "256mb"',
      'sluice.toml:1: cache_size is a size from 1MB to 64GB with its unit, as "512kB", "256MB" or "2GB", not "256mb"',
    ],
    ['cache_size = "512kB"', 'sluice.toml:1: cache_size is a size from 1MB to 64GB'],
    [
      `cache_size = "64MB"\nmax_result_size = "20MB"\n${minimal}`,
      'sluice.toml:2: max_result_size is 20971520 bytes, more than a quarter of cache_size: at most 16777216',
    ],
    [
      hyperdriveWith('[hyperdrive.caching]\nmax_age = "25h"'),
      'sluice.toml:5: max_age is a time from 0s to 24h with its unit',
    ],
    [
      hyperdriveWith('[hyperdrive.invalidation]\nheartbeat = "6s"'),
      'sluice.toml:4: stream_timeout is 10000 ms, less than two heartbeats of 6000 ms: each stream would seem lost',
    ],
    [
      hyperdriveWith('auth_query = "select 1"'),
      "sluice.toml:4: auth_query has no $1, where the user's name stands",
    ],
    [
      hyperdriveWith('roles = "listed"\nauth_query = "select $1"'),
      'sluice.toml:5: auth_query asks the origin for its roles, but roles = "listed" lets none of them in',
    ],
    [
      hyperdriveWith('[[hyperdrive.user]]\nname = "a"\n[[hyperdrive.user]]\nname = "a"'),
      'sluice.toml:7: name is listed twice: "a"',
    ],
    [
      hyperdriveWith('[[hyperdrive.user]]\nname = "a"\nverifier = "md5abc"'),
      'sluice.toml:6: verifier is as pg_authid.rolpassword has it: SCRAM-SHA-256$',
    ],
    [
      hyperdriveWith('[[hyperdrive.database]]\nname = "a"\npool_mode = "session"'),
      'sluice.toml:5: name is a database that no client may use: "a". The origin\'s is "app"; any_database',
    ],
    [
      hyperdriveWith('[[hyperdrive.database]]\nname = "app"\n[[hyperdrive.database]]\nname = "app"'),
      'sluice.toml:7: name is listed twice: "app"',
    ],
    [`${minimal}${minimal}`, 'sluice.toml:5: binding "HYPERDRIVE" is that of another [[hyperdrive]] too'],
    [
      '[[hyperdrive]]\norigin = "postgres://u@a/shop"\n[[hyperdrive]]\norigin = "postgres://u@b/shop"',
      'sluice.toml:3: binding is missing: clients call another [[hyperdrive]] "shop", too',
    ],
    [
      '[[hyperdrive]]\norigin = "postgres://u@a/shop"\n[[hyperdrive]]\norigin = "postgres://u@b/x"\nid = "shop"',
      'sluice.toml:5: id "shop" is that of another [[hyperdrive]] too',
    ],
    [
      '[[hyperdrive]]\norigin = { env = "NOWHERE" }',
      'sluice.toml:2: origin comes from the environment variable NOWHERE, which is not set',
    ],
    [
      '[[hyperdrive]]\norigin = { env = "EMPTY" }',
      'sluice.toml:2: origin comes from the environment variable EMPTY, which is empty',
    ],
    [
      'max_clients = { env = "SECRET" }',
      'max_clients is a whole number from 1 to 1000000; the environment variable SECRET holds something else',
    ],
  ])('%s', async (toml, message) => {
    const environment = { EMPTY: '', SECRET: 'hush' }
    const error = await read(toml, {}, environment).catch(error => error)
    expect(error).toBeInstanceOf(ConfigError)
    expect(error.message).toContain(message)
    expect(error.message).not.toMatch(/\n|secret|hush/)
  })

  test.each([
    [{ listen: 'zz' }, '--listen: listen is an address'],
    [
      { poolSize: 'many' },
      '--pool-size: origin_connection_limit is a whole number from 1 to 10000, not "many"',
    ],
    [{ logLevel: 'loud' }, '--log-level: log_level is one of'],
    [{ origin: 'mysql://u@h/d' }, '--origin: origin is a URL that begins with postgres:// or postgresql://'],
    [{ config: 'none.toml' }, "none.toml can't be read: there is no such file"],
    [{ config: '.' }, ". can't be read: it is a folder"],
  ])('%j', async (flags, message) => {
    await expect(read(minimal, flags)).rejects.toThrow(message)
  })

  test('an origin by flag, where the file has two', async () => {
    const two = minimal + minimal.replace('HYPERDRIVE', 'OTHER')
    await expect(read(two, { origin: 'postgres://u@h/d' })).rejects.toThrow(
      '--origin: there are 2 [[hyperdrive]]',
    )
  })
})

test('whatever a file holds, it is read or it is a ConfigError of one line', async () => {
  const names = [configuration, hyperdrive, origin, tls, user, caching, invalidation].flatMap(({ keys }) =>
    Object.keys(keys),
  )
  const key = fc.oneof(
    fc.constantFrom(...names, 'env', '__proto__', 'constructor'),
    fc.stringMatching(/^[a-z]{1,9}$/),
  )
  const { value } = fc.letrec(tie => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.string().map(text => JSON.stringify(text)),
      fc.constantFrom(
        '"30s"',
        '"h:1"',
        '5',
        '-1',
        '1e400',
        'nan',
        'true',
        '1979-05-27',
        `"postgres://u:p@h/d"`,
      ),
      fc.array(tie('value'), { maxLength: 3 }).map(all => `[${all.join(', ')}]`),
      fc
        .uniqueArray(fc.tuple(key, tie('value')), { maxLength: 4, selector: ([name]) => name })
        .map(pairs => `{ ${pairs.map(([name, given]) => `${name} = ${given}`).join(', ')} }`),
    ),
  })) as { value: fc.Arbitrary<string> }
  const header = fc.constantFrom(
    ...[
      '[tls]',
      '[[hyperdrive]]',
      '[hyperdrive.origin]',
      '[[hyperdrive.database]]',
      '[[hyperdrive.user]]',
      '[hyperdrive.caching]',
      '[hyperdrive.invalidation]',
      '[a.b]',
    ],
  )
  const line = fc.oneof(
    { weight: 5, arbitrary: fc.tuple(key, value).map(([name, given]) => `${name} = ${given}`) },
    { weight: 1, arbitrary: header },
    { weight: 1, arbitrary: fc.string() },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 8 }), async lines => {
      try {
        await read(lines.join('\n'))
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError)
        expect((error as Error).message).not.toContain('\n')
      }
    }),
    { numRuns: 500 },
  )
})
