import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseUrl, redact, type Target, UrlError } from './url.ts'

const refusalIfAny = (url: string, variable?: string): UrlError | undefined => {
  try {
    parseUrl(url, variable)
  } catch (error) {
    expect(error).toBeInstanceOf(UrlError)
    return error as UrlError
  }
  return undefined
}

const refusal = (url: string, variable?: string): UrlError => {
  const error = refusalIfAny(url, variable)
  if (!error) throw new Error('it was accepted')
  return error
}

/** What a password, user or database may hold: anything but NUL and lone surrogates. */
const word = fc.string({ unit: 'grapheme', minLength: 1 }).filter(text => !text.includes('\0'))
const enc = encodeURIComponent

describe('a connection URL', () => {
  test('gives host, port, user, password and database', () => {
    expect(parseUrl('postgres://ada:secret@db.example.com:5433/shop')).toEqual({
      hosts: [{ host: 'db.example.com', port: 5433 }],
      user: 'ada',
      password: 'secret',
      database: 'shop',
      sslmode: 'prefer',
      settings: {},
      pooled: false,
      isNeon: false,
      dropped: [],
    })
  })

  test('needs no more than a host and a user: the database is then called as the user', () => {
    expect(parseUrl('postgresql://ada@db')).toMatchObject({
      hosts: [{ host: 'db', port: 5432 }],
      user: 'ada',
      password: undefined,
      database: 'ada',
    })
  })

  test('without a host leads to localhost', () => {
    expect(parseUrl('postgres:///shop?user=ada').hosts).toEqual([{ host: 'localhost', port: 5432 }])
  })

  test('of either scheme, in any letter case, is understood', () => {
    for (const scheme of ['postgres', 'postgresql', 'POSTGRESQL']) {
      expect(parseUrl(`${scheme}://ada@db/shop`).database).toBe('shop')
    }
  })

  test.each([
    ['  postgres://ada:pw@db/shop\n'],
    ['"postgres://ada:pw@db/shop"'],
    ["'postgres://ada:pw@db/shop'\r\n"],
    ['DATABASE_URL=postgres://ada:pw@db/shop'],
    ['export DATABASE_URL="postgres://ada:pw@db/shop"'],
    ["psql 'postgres://ada:pw@db/shop'"],
    ['postgres://ada:pw@db/shop;'],
  ])('may come with what a .env file or a shell leaves around it: %j', text => {
    expect(parseUrl(text)).toMatchObject({ user: 'ada', password: 'pw', database: 'shop' })
  })

  test('keeps IPv6 hosts, without their brackets', () => {
    expect(parseUrl('postgres://ada@[::1]/shop').hosts).toEqual([{ host: '::1', port: 5432 }])
    expect(parseUrl('postgres://ada@[2001:db8::5]:6000/shop').hosts).toEqual([
      { host: '2001:db8::5', port: 6000 },
    ])
    expect(parseUrl('postgres://ada@[fe80::1%25eth0]').hosts[0]!.host).toBe('fe80::1%eth0')
    expect(parseUrl('postgres://ada@x/shop?host=::1').hosts[0]!.host).toBe('::1')
  })

  test('may name several hosts, each with or without a port', () => {
    expect(parseUrl('postgres://ada@a:1,b,[::1]:3/shop?target_session_attrs=read-write')).toMatchObject({
      hosts: [
        { host: 'a', port: 1 },
        { host: 'b', port: 5432 },
        { host: '::1', port: 3 },
      ],
      dropped: ['target_session_attrs'],
    })
  })

  test('gives way to parameters of the same meaning, as in libpq', () => {
    const url = 'postgres://ada:pw@a:1/shop?host=b,c&port=2&user=bob&password=other&dbname=store'
    expect(parseUrl(url)).toMatchObject({
      hosts: [
        { host: 'b', port: 2 },
        { host: 'c', port: 2 },
      ],
      user: 'bob',
      password: 'other',
      database: 'store',
    })
    expect(parseUrl('postgres://ada@a/shop?host=b,c&port=2,3').hosts).toEqual([
      { host: 'b', port: 2 },
      { host: 'c', port: 3 },
    ])
    expect(parseUrl('postgres://ada@a:7/shop?host=b').hosts).toEqual([{ host: 'b', port: 7 }])
  })
})

describe('special characters', () => {
  test('a user, password and database that are percent-encoded come out as they were', () => {
    fc.assert(
      fc.property(word, word, word, (user, password, database) => {
        const target = parseUrl(
          `postgres://${enc(user)}:${enc(password)}@db:5433/${enc(database)}?sslmode=require`,
        )
        expect(target).toMatchObject({ user, password, database, hosts: [{ host: 'db', port: 5433 }] })
      }),
    )
  })

  test('parameters that are percent-encoded come out as they were, plus signs too', () => {
    fc.assert(
      fc.property(word, value => {
        expect(parseUrl(`postgres://ada@db?application_name=${enc(value)}`).applicationName).toBe(value)
      }),
    )
    expect(parseUrl('postgres://ada@db?application_name=a+b').applicationName).toBe('a+b')
  })

  test.each([
    'p#ss',
    'p@ss',
    'p@ss@word',
    'p/ss',
    'p?ss',
    'p:ss:',
    '#/?:@',
    'a@b/c@d',
    '12/ab',
    'p[ss]',
    'p&ss=1',
    'p ss',
    '%',
    '100%',
    '%zz',
    '%4',
    'p"ss\'',
    'p;ss\\',
    'pä߀𝄞',
  ])('a password that was pasted in raw is understood: %s', password => {
    expect(parseUrl(`postgres://ada:${password}@db.example.com:5433/shop?sslmode=require`)).toMatchObject({
      hosts: [{ host: 'db.example.com', port: 5433 }],
      user: 'ada',
      password,
      database: 'shop',
      sslmode: 'require',
    })
  })

  test('any raw password of letters and these characters is understood where no reading before it is possible', () => {
    const raw = fc.string({ unit: fc.constantFrom(...'gx#/:%$!~*+,;=[]'), minLength: 1 })
    fc.assert(
      fc.property(raw, password => {
        expect(parseUrl(`postgres://ada:x${password}@db/shop`)).toMatchObject({
          user: 'ada',
          password: `x${password}`,
          database: 'shop',
        })
      }),
    )
  })

  test('escapes that are no UTF-8 stay as they are', () => {
    expect(parseUrl('postgres://ada:%E9%zz%41@db').password).toBe('%E9%zzA')
  })

  test('a user with a raw @, as Azure has them, keeps it', () => {
    expect(parseUrl('postgres://ada@server:pw@server.postgres.database.azure.com/shop')).toMatchObject({
      user: 'ada@server',
      password: 'pw',
      hosts: [{ host: 'server.postgres.database.azure.com', port: 5432 }],
    })
  })

  test('an @ in a parameter does not move the host', () => {
    expect(parseUrl('postgres://ada:pw@db/shop?application_name=me@home')).toMatchObject({
      hosts: [{ host: 'db', port: 5432 }],
      applicationName: 'me@home',
    })
    expect(parseUrl('postgres://db/shop?user=ada@home')).toMatchObject({
      hosts: [{ host: 'db', port: 5432 }],
      user: 'ada@home',
    })
  })
})

describe('parameters', () => {
  test('can smuggle no setting in behind a NUL', () => {
    expect(() => parseUrl('postgres://ada%00options%00-c%20geqo%3Doff:pw@db/shop')).toThrow(/NUL/)
    expect(() => parseUrl('postgres://ada:pw@db/shop%00x')).toThrow(/NUL/)
  })

  test('that a dashboard adds are understood or dropped, and never become settings', () => {
    const url =
      'postgres://ada:pw@db/shop?sslmode=require&channel_binding=require&pgbouncer=true&pool_timeout=10' +
      '&connection_limit=1&sslaccept=strict&schema=public&target_session_attrs=any&load_balance_hosts=random' +
      '&keepalives=1&keepalives_idle=30&gssencmode=disable&uselibpqcompat=true&socket_timeout=5' +
      '&client_encoding=utf8&replication=database&fetch_types=false&prepare=false&max=10'
    expect(parseUrl(url)).toMatchObject({
      sslmode: 'require',
      pooled: true,
      settings: {},
      dropped: [
        'channel_binding',
        'pool_timeout',
        'connection_limit',
        'sslaccept',
        'schema',
        'target_session_attrs',
        'load_balance_hosts',
        'keepalives',
        'keepalives_idle',
        'gssencmode',
        'uselibpqcompat',
        'socket_timeout',
        'client_encoding',
        'replication',
        'fetch_types',
        'prepare',
        'max',
      ],
    })
  })

  test('that are settings of a session become settings, custom ones too', () => {
    const url =
      'postgres://ada@db?search_path=app,public&statement_timeout=5000&TimeZone=UTC&app.tenant=7&role=reader'
    expect(parseUrl(url)).toMatchObject({
      settings: {
        search_path: 'app,public',
        statement_timeout: '5000',
        timezone: 'UTC',
        'app.tenant': '7',
        role: 'reader',
      },
      dropped: [],
    })
  })

  test('of the certificate are kept as they are', () => {
    expect(
      parseUrl('postgres://ada@db?sslmode=verify-full&sslrootcert=/ca.pem&sslcert=c&sslkey=k'),
    ).toMatchObject({
      sslmode: 'verify-full',
      sslrootcert: '/ca.pem',
      sslcert: 'c',
      sslkey: 'k',
      dropped: [],
    })
  })

  test('with several values: the last one counts', () => {
    expect(parseUrl('postgres://ada@db?sslmode=disable&sslmode=require').sslmode).toBe('require')
  })

  test('without a value are as good as absent', () => {
    expect(parseUrl('postgres://ada@db?sslmode=&application_name=&port=')).toMatchObject({
      sslmode: 'prefer',
      applicationName: undefined,
      hosts: [{ host: 'db', port: 5432 }],
    })
  })

  test.each<[query: string, sslmode: Target['sslmode']]>([
    ['', 'prefer'],
    ['?ssl=true', 'require'],
    ['?ssl=false', 'disable'],
    ['?sslmode=no-verify', 'require'],
    ['?sslmode=verify-full', 'verify-full'],
    ['?sslmode=allow&ssl=true', 'allow'],
    ['?sslrootcert=system', 'verify-full'],
    ['?sslmode=require&sslrootcert=/ca.pem', 'verify-ca'],
  ])('for TLS mean what they mean to libpq and its kin: %s is %s', (query, sslmode) => {
    expect(parseUrl(`postgres://ada@db/shop${query}`)).toMatchObject({ sslmode, dropped: [] })
  })

  test('give a name, options and a time', () => {
    const url =
      'postgres://ada@db?fallback_application_name=web&options=-c%20geqo%3Doff&connect_timeout=7&sslnegotiation=direct'
    expect(parseUrl(url)).toMatchObject({
      applicationName: 'web',
      options: '-c geqo=off',
      connectTimeoutMs: 7000,
      sslnegotiation: 'direct',
      dropped: [],
    })
    for (const none of ['0', '-1', 'soon']) {
      expect(parseUrl(`postgres://ada@db?connect_timeout=${none}`).connectTimeoutMs).toBeUndefined()
    }
  })

  test("of Neon's clients without SNI are dropped, what stands beside them stays", () => {
    expect(parseUrl('postgres://ada@db?options=endpoint%3Dep-a-1%20-c%20geqo%3Doff')).toMatchObject({
      options: '-c geqo=off',
      dropped: ['options=endpoint'],
    })
    expect(parseUrl('postgres://ada@db?options=project%3Dx')).toMatchObject({ options: undefined })
    expect(parseUrl('postgres://ada@db?endpoint=ep-a-1')).toMatchObject({ dropped: ['endpoint'] })
  })
})

describe('a transaction pooler', () => {
  test.each([
    'postgres://ada@ep-cool-1-pooler.us-east-2.aws.neon.tech/shop',
    'postgres://ada@db:6543/postgres',
    'postgres://ada@aws-0-eu-west-1.pooler.supabase.com/postgres',
    'postgres://ada@db:6432/shop',
    'postgres://ada@db/shop?pgbouncer=true',
  ])('is recognised in %s', url => {
    expect(parseUrl(url).pooled).toBe(true)
  })

  test.each([
    'postgres://ada@ep-cool-1.us-east-2.aws.neon.tech/shop',
    'postgres://ada@my-pooler-host/shop',
    'postgres://ada@db:5432/shop',
    'postgres://ada@db:6543/shop?pgbouncer=false',
  ])('is not seen in %s', url => {
    expect(parseUrl(url).pooled).toBe(false)
  })

  test('Neon is known by its hosts alone', () => {
    expect(parseUrl('postgres://ada@ep-cool-1.us-east-2.aws.neon.tech/shop').isNeon).toBe(true)
    expect(parseUrl('postgres://ada@ep-cool-1.us-east-2.aws.neon.build/shop').isNeon).toBe(true)
    expect(parseUrl('postgres://ada@neon.tech.example.com/shop').isNeon).toBe(false)
    expect(parseUrl('postgres://ada@notneon.tech/shop').isNeon).toBe(false)
  })
})

describe('a URL that can not be used', () => {
  test.each([
    ['', 'is empty'],
    [' \n', 'is empty'],
    ['""', 'is not one line that begins with postgres:// or postgresql://'],
    ['mysql://ada:pw@db/shop', 'is not one line that begins with postgres:// or postgresql://'],
    ['host=db user=ada password=pw', 'is not one line that begins with postgres:// or postgresql://'],
    ['postgres://ada:pw@db/sh\nop', 'is not one line that begins with postgres:// or postgresql://'],
    ['postgres://db/shop', 'names no user'],
    ['postgres://ada:pw/x', 'has no readable host and port behind user and password'],
    ['postgres://ada:pw@db:port/shop', 'has no readable host and port behind user and password'],
    ['postgres://ada:pw@[::1/shop', 'has no readable host and port behind user and password'],
    ['postgres://ada:pw@db:0/', 'has a port that is not a number from 1 to 65535, or not one for each host'],
    [
      'postgres://ada:pw@db:65536/',
      'has a port that is not a number from 1 to 65535, or not one for each host',
    ],
    [
      'postgres://ada@db?port=1.5',
      'has a port that is not a number from 1 to 65535, or not one for each host',
    ],
    [
      'postgres://ada@a,b,c?port=1,2',
      'has a port that is not a number from 1 to 65535, or not one for each host',
    ],
    ['postgres://ada@%2Ftmp/shop', 'names a Unix socket, which no edge runtime can open: name a host'],
    [
      'postgres:///shop?host=/tmp&user=ada',
      'names a Unix socket, which no edge runtime can open: name a host',
    ],
    [
      'postgres://ada@db?sslmode=maybe',
      'has an sslmode other than disable, allow, prefer, require, verify-ca, verify-full',
    ],
  ])('%j is refused: it %s', (url, problem) => {
    const error = refusal(url, 'DATABASE_URL')
    expect(error.message).toBe(`DATABASE_URL ${problem}`)
    expect(error.code).toBe('08001')
    expect(error.hint).toMatch(/postgres:\/\/user:password@host/)
  })

  test('that is missing altogether is called empty', () => {
    expect(refusal(undefined as unknown as string).message).toBe('the connection URL is empty')
  })

  test('never shows any of itself, in message, hint, stack or properties', () => {
    const broken = fc.constantFrom<(password: string) => string>(
      password => `postgres://ada:${password}@db:99999/shop`,
      password => `postgres://ada:${password}@db/shop?sslmode=${password}`,
      password => `postgres://ada:${password}`,
      password => `mysql://ada:${password}@db/shop`,
      password => `postgres://ada:${password}@[db/shop`,
      password => `postgres://:${password}@db/shop`,
      password => `postgres://ada:${password}@%2Ftmp/shop`,
      password => password,
    )
    fc.assert(
      fc.property(broken, fc.string({ unit: 'grapheme-ascii' }), (url, rest) => {
        const password = `Zq7${rest}`
        const error = refusalIfAny(url(password), 'DATABASE_URL')
        if (!error) return
        const shown = [error.message, error.hint, error.stack, JSON.stringify(error), String(error.cause)]
        expect(shown.join('\n')).not.toContain('Zq7')
      }),
    )
  })
})

describe('redact', () => {
  const target = (password: string) => parseUrl(`postgres://ada:${enc(password)}@db/shop`)

  test('takes the password out, as it is and percent-encoded', () => {
    fc.assert(
      fc.property(word, fc.string(), fc.string(), (password, before, after) => {
        // A password of asterisks alone looks like what stands in its place.
        fc.pre(!'***'.includes(password))
        const shown = redact(`${before}${password} ${enc(password)}${after}`, target(password))
        expect(shown).not.toContain(`${before}${password}`)
        expect(shown).toContain('***')
      }),
    )
    expect(redact('tried p@ss%w, p%40ss%25w and P%40SS%25W', target('p@ss%w'))).toBe('tried ***, *** and ***')
  })

  test('takes it out of JSON and of what inspect prints', () => {
    const password = 'a"b\\c\'d'
    expect(redact(JSON.stringify({ password }), target(password))).toBe('{"password":"***"}')
  })

  test('takes it out when more was encoded than had to be', () => {
    expect(redact('%21%61', target('!a'))).toBe('***')
  })

  test('takes the credentials out of any connection URL', () => {
    expect(redact('no route to postgres://bob:p@ss/word@db/shop here', undefined)).toBe(
      'no route to postgres://bob:***@db/shop here',
    )
    expect(redact('postgresql://db/shop?user=bob&password=secret&x=1', undefined)).toBe(
      'postgresql://db/shop?user=bob&password=***&x=1',
    )
  })

  test('leaves all other text alone', () => {
    const text = 'connect ECONNREFUSED 127.0.0.1:5432 (postgres://db:5432/shop)'
    expect(redact(text, target('secret'))).toBe(text)
    expect(redact(text, undefined)).toBe(text)
    expect(redact(text, parseUrl('postgres://ada@db'))).toBe(text)
    expect(redact('', undefined)).toBe('')
  })

  test('stands any password, one with half a character too', () => {
    const { hosts, ...rest } = parseUrl('postgres://ada@db')
    expect(redact('x \ud800( y', { hosts, ...rest, password: '\ud800(' })).toBe('x *** y')
  })
})
