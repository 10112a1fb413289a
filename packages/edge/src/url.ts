/**
 * Connection URLs, read once for every driver, so that one string means one thing on all of them.
 *
 * The form and the parameters are libpq's. A password that was pasted in raw may hold `@ : / ? #` and lone
 * percent signs: the user part ends at the first `@` behind which hosts, a database and parameters can be
 * read, so a raw password is understood wherever it can be told apart, and a database name holds no raw `@`.
 *
 *     postgres:// user : password @ host : port , host : port / database ? key=value & key=value
 *
 * A parameter is understood here (it has a field of Target), or is a setting of the session (`sessionSetting`),
 * or is dropped and listed in `dropped`. It is never sent just because it stood there: PostgreSQL refuses a
 * session for a start-up setting it does not know, and `channel_binding`, `pgbouncer` or `schema` are none.
 *
 * Chosen here: an empty host is localhost; Unix sockets are refused, for no edge runtime opens them;
 * `sslmode` is libpq's `prefer` unless given, `sslrootcert=system` asks for verify-full, and `require` with a
 * root certificate means verify-ca, all as in libpq. Two words of Neon for clients without SNI
 * (`options=endpoint=…`, `project=…`) are dropped: every driver here sends the host's name.
 *
 * Not here: whether a certificate file can be read, which of several hosts is tried (the drivers).
 * Source: PostgreSQL documentation, libpq, "Connection URIs" and "Parameter Key Words".
 */

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
const sessionKinds = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const

/** Where a URL leads. Holds the password: it belongs to the socket and to `redact`, nowhere else. */
export interface Target {
  /** In the order of the URL, at least one; IPv6 without brackets. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  readonly user: string
  /** Undefined where the URL has none, or an empty one. */
  readonly password: string | undefined
  readonly database: string
  readonly sslmode: (typeof sslModes)[number]
  readonly sslnegotiation?: 'postgres' | 'direct' | undefined
  /** A path, or `system`. */
  readonly sslrootcert?: string | undefined
  readonly sslcert?: string | undefined
  readonly sslkey?: string | undefined
  readonly channelBinding?: 'disable' | 'prefer' | 'require' | undefined
  readonly applicationName?: string | undefined
  /** Command-line options of the session, as in `-c geqo=off`. */
  readonly options?: string | undefined
  /** Settings for the start-up message, names in lower case. */
  readonly settings: Readonly<Record<string, string>>
  readonly connectTimeoutMs?: number | undefined
  readonly targetSessionAttrs?: (typeof sessionKinds)[number] | undefined
  /** The URL names a transaction pooler: unnamed statements only, and no pipelining. */
  readonly pooled: boolean
  readonly isNeon: boolean
  /** Names of the parameters that nothing will be done with. */
  readonly dropped: readonly string[]
}

/** A URL that can't be used. Names the variable it came from, and never quotes any of it. */
export class UrlError extends Error {
  readonly code = '08001'
  readonly hint: string

  constructor(message: string, hint: string) {
    super(message)
    this.name = 'UrlError'
    this.hint = hint
  }
}

/**
 * Settings that people mean when they put them into a URL, and settings of their own (`app.tenant`).
 * `client_encoding` and `replication` are not among them: they change the protocol under the driver.
 */
const sessionSetting =
  /^((statement|lock|transaction|idle_session|idle_in_transaction_session)_timeout|default_transaction_\w+|search_path|role|timezone|datestyle|intervalstyle|bytea_output|work_mem|jit|row_security|synchronous_commit|plan_cache_mode|[a-z_]\w*\.\w+)$/

/** What a .env file, a shell or a console's copy button leaves around a URL. */
const wrapping = /^(?:psql\s+|(?:export\s+)?\w+\s*=\s*)?(["'`]?)(.*?)\1;?$/s

/** Hosts, database and parameters: everything behind the user part. */
const place =
  /^((?:(?:\[[^\]@/]*\]|[^\s:/?#@,[\]]*)(?::\d*)?(?:,|(?=[/?]|$)))*)(?:\/([^?@]*))?(?:\?([\w.%-]+=.*)?)?$/

/** The usual ports of Supavisor, and of PgBouncer and its kin. A wrong guess costs a little speed, no error. */
const poolerPorts = [6543, 6432]

/** Escapes are decoded, a percent sign that starts none stays. */
const decode = (text: string) =>
  text.replace(/(?:%[0-9a-f]{2})+/gi, escapes => {
    try {
      return decodeURIComponent(escapes)
    } catch {
      return escapes
    }
  })

const isTrue = (value: string | undefined) => value === 'true' || value === '1'

const oneOf = <T extends string>(value: string | undefined, known: readonly T[]) =>
  known.find(each => each === value)

/**
 * Reads a connection URL.
 *
 * @param variable where the text came from, as errors shall name it: `DATABASE_URL`, `the HYPERDRIVE binding`
 * @throws UrlError
 * @example parseUrl(env.DATABASE_URL, 'DATABASE_URL').hosts // [{ host: 'db.example.com', port: 5432 }]
 */
export function parseUrl(text: string, variable = 'the connection URL'): Target {
  const refuse = (problem: string, hint = 'The form is postgres://user:password@host:5432/database') =>
    new UrlError(`${variable} ${problem}`, hint)

  const source = wrapping.exec(`${text ?? ''}`.trim())![2]!.trim()
  if (source === '') throw refuse('is empty')
  const rest = /^postgres(?:ql)?:\/\/(.*)/is.exec(source)?.[1]
  if (rest === undefined) throw refuse('does not begin with postgres:// or postgresql://')
  if (/[\r\n]/.test(rest)) throw refuse('contains a line break', 'Write it in one line.')

  let at = -1
  let found = place.exec(rest)
  while (!found) {
    at = rest.indexOf('@', at + 1)
    if (at < 0) {
      throw refuse(
        'has no readable host and port after the user and password',
        'Percent-encode the special characters of the password (@ is %40, / is %2F, # is %23).',
      )
    }
    found = place.exec(rest.slice(at + 1))
  }
  const [, authority = '', path = '', query = ''] = found
  const [, name = '', secret = ''] = /^([^:]*):?(.*)$/s.exec(rest.slice(0, Math.max(at, 0)))!

  const given = new Map<string, string>()
  for (const pair of query.split('&')) {
    const [, key = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair)!
    if (key) given.set(decode(key).toLowerCase(), decode(value))
  }
  const dropped: string[] = []
  const take = (key: string) => {
    const value = given.get(key)
    given.delete(key)
    return value || undefined
  }
  /** A parameter with few possible values, dropped when it has another. */
  const choose = <T extends string>(key: string, known: readonly T[]) => {
    const value = take(key)
    const choice = oneOf(value, known)
    if (value && !choice) dropped.push(key)
    return choice
  }

  const authorities = authority.split(',').map(each => /^(.*?)(?::(\d*))?$/.exec(each)!)
  const names = take('host')?.split(',') ?? authorities.map(each => decode(each[1]!))
  const ports = take('port')?.split(',') ?? authorities.map(each => each[2])
  if (ports.length > 1 && ports.length !== names.length) {
    throw refuse('has another number of ports than of hosts', 'Give one port for all hosts, or one for each.')
  }
  const hosts = names.map((each, index) => {
    const host = each.replace(/^\[(.*)\]$/, '$1') || 'localhost'
    if (/^[/@]/.test(host)) {
      throw refuse(
        'names a Unix socket, which no edge runtime can open',
        'Name a host instead, for example localhost.',
      )
    }
    const port = Number((ports.length > 1 ? ports[index] : ports[0]) || 5432)
    if (!(Number.isInteger(port) && port > 0 && port < 65536)) {
      throw refuse('has a port that is not a number from 1 to 65535')
    }
    return { host, port }
  })

  const user = take('user') ?? decode(name)
  if (!user) throw refuse('names no user')

  const ssl = take('ssl')
  const wanted = take('sslmode') ?? ssl
  const sslrootcert = take('sslrootcert')
  const synonyms: Record<string, Target['sslmode']> = {
    true: 'require',
    1: 'require',
    'no-verify': 'require',
    false: 'disable',
    0: 'disable',
  }
  let sslmode = wanted ? oneOf(synonyms[wanted] ?? wanted, sslModes) : 'prefer'
  if (!sslmode) throw refuse('has an unknown sslmode', `Known are ${sslModes.join(', ')}.`)
  if (sslrootcert === 'system' && !wanted) sslmode = 'verify-full'
  else if (sslrootcert && sslmode === 'require') sslmode = 'verify-ca'

  const allOptions = take('options')
  const options = allOptions?.replace(/(^|\s)(endpoint|project)=\S*/g, '').trim()
  if (options !== allOptions?.trim()) dropped.push('options=endpoint')

  const pgbouncer = take('pgbouncer')
  const fallbackName = take('fallback_application_name')
  const connectTimeoutMs = Number(take('connect_timeout')) * 1000
  const password = take('password') ?? decode(secret)
  const target = {
    hosts,
    user,
    password: password || undefined,
    database: take('dbname') ?? (decode(path) || user),
    sslmode,
    sslnegotiation: choose('sslnegotiation', ['postgres', 'direct']),
    sslrootcert,
    sslcert: take('sslcert'),
    sslkey: take('sslkey'),
    channelBinding: choose('channel_binding', ['disable', 'prefer', 'require']),
    applicationName: take('application_name') ?? fallbackName,
    options: options || undefined,
    connectTimeoutMs: connectTimeoutMs > 0 ? connectTimeoutMs : undefined,
    targetSessionAttrs: choose('target_session_attrs', sessionKinds),
    pooled: pgbouncer
      ? isTrue(pgbouncer)
      : hosts.some(
          ({ host, port }) =>
            poolerPorts.includes(port) || /^[^.]+-pooler(\.|$)|\.pooler\.supabase\.com$/i.test(host),
        ),
    isNeon: hosts.every(({ host }) => /\.neon\.(tech|build)$/i.test(host)),
  }
  const settings: Record<string, string> = {}
  for (const [key, value] of given) {
    if (sessionSetting.test(key)) settings[key] = value
    else dropped.push(key)
  }
  return { ...target, settings, dropped }
}

const percent = (byte: number) => `%${byte.toString(16).padStart(2, '0')}`

/**
 * `text` without the password: as it is, percent-encoded, or escaped by JSON or `inspect`, in any letter case;
 * and without the credentials of any other connection URL. What looks like a secret goes, even where it is none.
 */
export function redact(text: string, target: Target | undefined): string {
  let safe = text
  if (target?.password) {
    const encoder = new TextEncoder()
    const pattern = Array.from(target.password, char => {
      const escaped = Array.from(encoder.encode(char), percent).join('')
      return `\\\\*(?:${char.replace(/[^\w\s]/, '\\$&')}|${escaped})`
    })
    safe = safe.replace(new RegExp(pattern.join(''), 'gi'), '***')
  }
  return safe
    .replace(/(postgres\w*:\/\/[^:\s]*:).*@/gi, '$1***@')
    .replace(/([?&](?:ssl)?password=)[^&\s]*/gi, '$1***')
}
