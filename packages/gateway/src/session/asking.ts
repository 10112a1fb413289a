/**
 * What a client's user, role and parameters make of its questions: what stands in the key of an answer that is kept,
 * and why none may be.
 *
 *     told    what the server reports: time zone, styles, encoding, search_path (PostgreSQL 18)
 *     wants   what the client has set: whatever it is, an answer may depend on it, by a policy if not by itself
 *
 * All that a client sets is in the key, but for what decides nothing but how long a statement may take, who runs it in
 * the server's lists, and what is Sluice's own.
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Asynchronous Operations" names what is reported.
 */
import type { Values } from '../origin/values.ts'

export interface Asking {
  /** Another one for each that differs in anything here. */
  readonly key: string
  readonly sessionUser: string
  /** current_user. */
  readonly role: string
  /** search_path as a value; null if the server does not report it and the client has not set it. */
  readonly path: string | null
  /** By name in lower case: what answers may depend on. */
  readonly settings: readonly (readonly [name: string, value: string])[]
  /** `sluice.cache` is off, or is no value that means on. */
  readonly off: boolean
  /** A sentence: why nothing may be kept for this client. */
  readonly refused: string | null
}

/** `SET sluice.cache = off`. */
const cacheParameter = 'sluice.cache'

const decidesNothing: ReadonlySet<string> = new Set([
  'application_name',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'lock_timeout',
  'search_path',
  'session_authorization',
  'role',
  cacheParameter,
  'sluice.pool_mode',
  'statement_timeout',
  'transaction_timeout',
])

/** Of what is reported, what answers depend on; the rest is of the server and the session's rights. */
const reportedInKey: ReadonlySet<string> = new Set([
  'client_encoding',
  'datestyle',
  'intervalstyle',
  'timezone',
])

/** Whoever sets anything else had a reason. A parameter that somebody has set and reset is empty. */
const isOn = (value: string | undefined) => value === undefined || /^(on|true|t|yes|y|1)?$/i.test(value)
const isOff = (value: string | undefined) => value !== undefined && /^(off|false|no|0)$/i.test(value)

/**
 * @param user whom its server connections were opened for
 * @param told what is reported of the connection that runs its statements, or ran the last
 */
export function askingOf(user: string, wants: Values, told: Values): Asking {
  const settings = new Map<string, string>()
  let path: string | null = null
  let standard = true
  for (const values of [told, wants])
    for (const [written, value] of values.byName) {
      const name = written.toLowerCase()
      if (name === 'search_path') path = value
      else if (name === 'standard_conforming_strings') standard = !isOff(value)
      else if (values === told ? reportedInKey.has(name) : !decidesNothing.has(name))
        settings.set(name, value)
    }
  const sessionUser = wants.byName.get('session_authorization') ?? user
  const role = wants.byName.get('role') ?? 'none'
  const asking = {
    sessionUser,
    role: role === 'none' ? sessionUser : role,
    path,
    settings: [...settings].sort(([a], [b]) => (a < b ? -1 : 1)),
    off: !isOn(wants.byName.get(cacheParameter)),
    refused: standard ? refusedBy(settings.get('client_encoding')) : 'standard_conforming_strings is off',
  }
  return { ...asking, key: JSON.stringify(asking) }
}

/** How one client asks: read anew when what it wants, or was told, is something else. */
export class Asker {
  readonly #user: string
  #asking: Asking | null = null
  #wants: Values | null = null
  #told: Values | null = null

  constructor(user: string) {
    this.#user = user
  }

  asking(wants: Values, told: Values): Asking {
    if (this.#asking === null || wants !== this.#wants || told !== this.#told) {
      this.#asking = askingOf(this.#user, wants, told)
      this.#wants = wants
      this.#told = told
    }
    return this.#asking
  }
}

/** Row keys are compared with what the stream says, in UTF-8. */
const refusedBy = (encoding: string | undefined) =>
  encoding === 'UTF8' ? null : `the client's encoding is ${encoding}, not UTF8`
