/**
 * Connection URLs, read once for every driver, so that one string means one thing on all of them.
 *
 * The form and the parameters are libpq's. A password that was pasted in raw may hold `@ : / ? #` and lone
 * percent signs: the user part ends at the first `@` behind which hosts, a database and parameters can be
 * read, so a raw password is understood wherever it can be told apart, and a database name holds no raw `@`.
 *
 *     postgres:// user : password @ host : port , host : port / database ? key=value & key=value
 *
 * A parameter is understood (it has a field of Target), or is a setting of the session (`sessionSetting`), or
 * is dropped and listed in `dropped`. None is sent just because it stood there: PostgreSQL refuses a session
 * for a start-up setting that it does not know, and `channel_binding`, `pgbouncer` or `schema` are none.
 *
 * Chosen here: an empty host is localhost; Unix sockets are refused, for no edge runtime opens them;
 * `sslmode` is libpq's `prefer` unless given, `sslrootcert=system` asks for verify-full, and `require` with a
 * root certificate means verify-ca, all as in libpq. Two words of Neon for clients without SNI
 * (`options=endpoint=…`, `project=…`) are dropped: every driver here sends the host's name.
 *
 * Not here: whether a certificate file can be read (socket/node.ts), which of several hosts is tried (route.ts).
 * Source: PostgreSQL documentation, libpq, "Connection URIs" and "Parameter Key Words".
 */
import { hexOf } from './values/bytes.ts'

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const

/** Where a URL leads. Holds the password: it belongs to the socket and to `redact`, nowhere else. */
export interface Target {
  /** In the order of the URL, at least one; IPv6 without brackets. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  readonly user: string
  /** Undefined where the URL has none, or an empty one. */
  readonly password: string | undefined
  readonly database: string
  readonly sslmode: (typeof sslModes)[number]
  readonly sslnegotiation?: 'direct' | undefined
  /** A path, or `system`. */
  readonly sslrootcert?: string | undefined
  readonly sslcert?: string | undefined
  readonly sslkey?: string | undefined
  readonly applicationName?: string | undefined
  /** Command-line options of the session, as in `-c geqo=off`. */
  readonly options?: string | undefined
  /** Settings for the start-up message, names in lower case. */
  readonly settings: Readonly<Record<string, string>>
  readonly connectTimeoutMs?: number | undefined
  /** The URL names a transaction pooler: unnamed statements only, and no pipelining. */
  readonly pooled: boolean
  readonly isNeon: boolean
  /** Names of the parameters that nothing will be done with. */
  readonly dropped: readonly string[]
}

/** A URL that can't be used. Names the variable it came from, and never quotes any of it. */
export class UrlError extends Error {
  readonly code = '08001'
  readonly hint =
    'Write postgres://user:password@host:5432/database, and in the password %40 for @, %2F for /, %23 for #.'
}

/**
 * Settings that people mean when they put them into a URL, and settings of their own (`app.tenant`).
 * `client_encoding` and `replication` are not among them: they change the protocol under the driver.
 * Any other goes by `options=-c%20name=value`.
 */
const sessionSetting =
  /^((statement|lock|transaction|idle_in_transaction_session)_timeout|search_path|timezone|role|\w+\.\w+)$/

/** What a .env file, a shell or a console's copy button leaves around a URL. */
const wrapped = /^\s*(?:psql\s|(?:export\s+)?\w+\s*=)?\s*(["'`]?)postgres(?:ql)?:\/\/(.*?)\1;?\s*$/i

/** Hosts, database and parameters: everything behind the user part. */
const place = /^((?:\[[^\]@/]*\]|:\d*(?![^,/?])|[^\s:/?#@[\]])*)(?:\/([^?@]*))?(?:\?([\w.%-]+=.*)?)?$/

/** Hosts and ports of transaction poolers: Neon, Supabase, PgBouncer and its kin. A wrong guess costs no error. */
const pooler = /^[^.]+-pooler\.|\.pooler\.supabase\.com:|:6(432|543)$/i

/** Escapes are decoded, a percent sign that starts none stays. */
const decode = (text: string) =>
  text.replace(/(%[0-9a-f]{2})+/gi, escapes => {
    try {
      return decodeURIComponent(escapes)
    } catch {
      return escapes
    }
  })

/** Both sides of the first `mark`. */
const halves = (text: string, mark: string) => {
  const [first, ...rest] = text.split(mark)
  return [decode(first!), decode(rest.join(mark))] as const
}

/**
 * Reads a connection URL.
 *
 * @param variable where the text came from, as errors shall name it: `DATABASE_URL`, `the HYPERDRIVE binding`
 * @throws UrlError
 * @example parseUrl(env.DATABASE_URL, 'DATABASE_URL').hosts // [{ host: 'db.example.com', port: 5432 }]
 */
export function parseUrl(text: string, variable = 'the connection URL'): Target {
  const refuse = (problem: string) => new UrlError(`${variable} ${problem}`)

  const rest = wrapped.exec(text)?.[2]
  if (rest === undefined) {
    throw refuse(text?.trim() ? 'is not one line that begins with postgres:// or postgresql://' : 'is empty')
  }
  // It would end the name in the start-up message, and make settings of what follows.
  if (/%00|\0/.test(rest)) throw refuse('holds a NUL character')
  let at = -1
  let found = place.exec(rest)
  while (!found) {
    at = rest.indexOf('@', at + 1)
    if (at < 0) throw refuse('has no readable host and port behind user and password')
    found = place.exec(rest.slice(at + 1))
  }
  const [, authority = '', path = '', query = ''] = found
  const [name, secret] = halves(rest.slice(0, Math.max(at, 0)), ':')

  const given = new Map(query.split('&').map(pair => halves(pair, '=')))
  const take = (key: string) => {
    const value = given.get(key)
    given.delete(key)
    return value || undefined
  }

  const places = authority.split(',').map(each => /^(.*?)(?::(\d*))?$/.exec(each)!)
  const ports = take('port')?.split(',') ?? places.map(each => each[2])
  const names = take('host')?.split(',') ?? places.map(each => decode(each[1]!))
  const hosts = names.map((each, index) => ({
    host: each.replace(/^\[|\]$/g, '') || 'localhost',
    port: Number(ports[ports.length > 1 ? index : 0] || 5432),
  }))
  if (hosts.some(({ host }) => /^[/@]/.test(host))) {
    throw refuse('names a Unix socket, which no edge runtime can open: name a host')
  }
  if (
    (ports.length > 1 && ports.length !== hosts.length) ||
    !hosts.every(({ port }) => Number.isInteger(port) && port > 0 && port < 65536)
  ) {
    throw refuse('has a port that is not a number from 1 to 65535, or not one for each host')
  }
  const user = take('user') ?? name
  if (!user) throw refuse('names no user')

  const sslrootcert = take('sslrootcert')
  const ssl = take('ssl')
  const wanted = take('sslmode') ?? ssl ?? (sslrootcert === 'system' ? 'verify-full' : 'prefer')
  const spelled = { true: 'require', 'no-verify': 'require', false: 'disable' }[wanted] ?? wanted
  const sslmode = sslModes.find(mode => mode === spelled)
  if (!sslmode) throw refuse(`has an sslmode other than ${sslModes.join(', ')}`)

  const dropped: string[] = []
  const options = take('options')?.replace(/(^|\s)(endpoint|project)=\S*/g, () => {
    dropped.push('options=endpoint')
    return ''
  })
  const fallbackName = take('fallback_application_name')
  const pgbouncer = take('pgbouncer')
  const target = {
    hosts,
    user,
    password: take('password') ?? (secret || undefined),
    database: take('dbname') ?? (decode(path) || user),
    sslmode: sslmode === 'require' && sslrootcert ? 'verify-ca' : sslmode,
    sslnegotiation: take('sslnegotiation') === 'direct' ? 'direct' : undefined,
    sslrootcert,
    sslcert: take('sslcert'),
    sslkey: take('sslkey'),
    applicationName: take('application_name') ?? fallbackName,
    options: options?.trim() || undefined,
    connectTimeoutMs: Math.max(0, Number(take('connect_timeout')) * 1000) || undefined,
    pooled: pgbouncer ? pgbouncer === 'true' : hosts.some(({ host, port }) => pooler.test(`${host}:${port}`)),
    isNeon: hosts.every(({ host }) => /\.neon\.(tech|build)$/i.test(host)),
  } as const
  const settings: Record<string, string> = {}
  for (const [key, value] of given) {
    const setting = key.toLowerCase()
    if (sessionSetting.test(setting)) settings[setting] = value
    else if (key) dropped.push(key)
  }
  return { ...target, settings, dropped }
}

/**
 * `text` without the password: as it is, percent-encoded, or escaped by JSON or `inspect`, in any letter case;
 * and without the credentials of any other connection URL. What looks like a secret goes, even where it is none.
 */
export function redact(text: string, target: Target | undefined): string {
  const password = Array.from(target?.password ?? '', char => {
    const escapes = Array.from(new TextEncoder().encode(char), byte => `%${hexOf(byte)}`)
    return `\\\\?(?:${char.replace(/\W/, '\\$&')}|${escapes.join('')})`
  })
  return text
    .replace(new RegExp(password.join('') || '(?!)', 'gi'), '***')
    .replace(/(postgres\w*:\/\/[^:\s]*:).*@/gi, '$1***@')
    .replace(/([?&](?:ssl)?password=)[^&\s]*/gi, '$1***')
}
