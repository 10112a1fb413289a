/**
 * An origin's URL, in libpq's form:
 *
 *     postgres:// user : password @ host : port , host : port / database ? key=value & key=value
 *
 * A password that was pasted in raw may hold `@ : / ? #`: the user part ends at the first `@` behind which hosts, a
 * database and parameters can be read, as @sluice/edge reads it, so that one text means one thing in both.
 *
 * No part of a URL is ever quoted in an error: what looks like a host may be half of a password.
 * Source: PostgreSQL documentation, libpq, "Connection URIs" and "Parameter Key Words".
 */
import { nearest } from './nearest.ts'

/** What the URL says, as text; what is to be believed of it, origin.ts judges. */
export interface OriginUrl {
  /** As `host:port` or path, with commas between them. */
  readonly hosts: string
  /** Of hosts that name none. */
  readonly port: string | undefined
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  /** sslmode, sslrootcert, sslcert, sslkey. */
  readonly ssl: ReadonlyMap<string, string>
}

/** Hosts, database and parameters: everything behind the user part. */
const place = /^((?:\[[^\]@/]*\]|:\d*(?![^,/?])|[^\s:/?#@[\]])*)(?:\/([^?@]*))?(?:\?([\w.%-]+=.*)?)?$/

const sslKeys = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey']
const otherKeys = ['host', 'port', 'user', 'password', 'dbname']
/** What is in many URLs, and has no bearing here: the gateway's own logins use channel binding wherever it is offered. */
const withoutBearing = [
  'application_name',
  'channel_binding',
  'connect_timeout',
  'gssencmode',
  'target_session_attrs',
]

/** @throws Error as in "origin …" */
export function readUrl(url: string): OriginUrl {
  const [, rest] = /^postgres(?:ql)?:\/\/(.*)$/s.exec(url.trim()) ?? []
  if (rest === undefined) throw new Error('is a URL that begins with postgres:// or postgresql://')
  let at = -1
  let found = place.exec(rest)
  while (!found) {
    at = rest.indexOf('@', at + 1)
    if (at < 0)
      throw new Error(
        'has no readable host and port: write postgres://user:password@host:5432/database, and in the password %40 for @, %2F for /, %23 for #',
      )
    found = place.exec(rest.slice(at + 1))
  }
  const [, authority = '', path = '', query = ''] = found
  const [user, password] = halves(rest.slice(0, Math.max(at, 0)), ':')
  const parameters = readParameters(query)
  return {
    hosts: parameters.get('host') ?? decode(authority),
    port: parameters.get('port'),
    user: parameters.get('user') ?? user,
    password: parameters.get('password') ?? password,
    database: parameters.get('dbname') ?? (decode(path) || undefined),
    ssl: parameters,
  }
}

function readParameters(query: string): Map<string, string> {
  const parameters = new Map<string, string>()
  for (const pair of query.split('&').filter(Boolean)) {
    const [key = '', value = ''] = halves(pair, '=')
    if (withoutBearing.includes(key)) continue
    if (![...sslKeys, ...otherKeys].includes(key)) {
      const near = nearest(key, [...sslKeys, ...otherKeys])
      throw new Error(
        `has a parameter that Sluice does not take: ${JSON.stringify(key)}; ${near ? `did you mean ${near}?` : `it takes ${sslKeys.join(', ')}`}`,
      )
    }
    parameters.set(key, value)
  }
  return parameters
}

/** Both sides of the first `mark`. */
function halves(text: string, mark: string): [string | undefined, string | undefined] {
  const at = text.indexOf(mark)
  const [first, second] = at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
  return [decode(first) || undefined, decode(second) || undefined]
}

/** Escapes are decoded, a percent sign that starts none stays. */
function decode(text: string): string {
  const decoded = text.replace(/(%[0-9a-f]{2})+/gi, escapes => {
    try {
      return decodeURIComponent(escapes)
    } catch {
      return escapes
    }
  })
  if (decoded.includes('\0')) throw new Error('holds a NUL character')
  return decoded
}
