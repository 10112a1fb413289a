/**
 * Who may come in, how each proves who it is, and with what the gateway then logs in at the origin as that user.
 *
 *     user                       proves itself by               the gateway logs in with
 *     the origin URL's           SCRAM against its password     the password
 *     listed, password           the same                       the password
 *     listed, verifier           SCRAM against the verifier     the client's key, which the proof yields
 *     any role of the origin     SCRAM against pg_authid        the client's key
 *     any, auth = passthrough    clear text (TLS, loopback),    keys derived from it
 *                                judged by a login there
 *
 * What the origin says of a role is asked at each login, so that a changed password works at once; while the origin can't
 * be asked, what it said last is believed for `refreshMs`.
 */
import { pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import type { ErrorFields } from '@sluice/wire'
import {
  isMd5Stored,
  makeVerifier,
  parseVerifier,
  type ScramKeys,
  type ScramSecret,
  type ScramVerifier,
} from '@sluice/wire/authentication'
import type { Role } from '../origin/role.ts'
import type { Socket } from '../transport/transport.ts'
import type { Credential, Proof } from './authenticate.ts'
import { fatal, wrongPassword } from './refusal.ts'

export interface ListedUser {
  readonly name: string
  readonly password?: string
  readonly verifier?: ScramVerifier
}

export interface AccountsOptions {
  readonly method: 'scram' | 'md5' | 'trust' | 'passthrough'
  readonly users: readonly ListedUser[]
  /** Nobody else may come in, however they prove who they are. Undefined: any role of the origin may. */
  readonly only?: ReadonlySet<string>
  /** Asks the origin for a role; null: it has none of that name. Undefined: the origin is not asked. */
  readonly role?: (user: string, database: string) => Promise<Role | null>
  /** A login at the origin: resolves with the keys it yielded, or with the origin's refusal. */
  readonly tryLogin: (
    user: string,
    database: string,
    password: Uint8Array,
  ) => Promise<{ keys: ScramKeys | null } | { refusal: ErrorFields }>
  readonly refreshMs: number
  readonly now: () => number
}

const derive = promisify(pbkdf2)
const deriveKey = (password: Uint8Array, salt: Uint8Array, iterations: number) =>
  derive(password, salt, iterations, 32, 'sha256')

export class Accounts {
  readonly #options: AccountsOptions
  readonly #verifiers = new Map<string, Promise<ScramVerifier>>()
  readonly #roles = new Map<string, { role: Role | null; at: number }>()
  /** Roles that the origin lets nobody log in as. */
  readonly #barred = new Set<string>()
  /** Of users who came in by passthrough. */
  readonly #secrets = new Map<string, ScramSecret>()

  constructor(options: AccountsOptions) {
    this.#options = options
  }

  async lookup(
    user: string,
    database: string,
    socket: Pick<Socket, 'tls' | 'remoteAddress'>,
  ): Promise<Credential | { refusal: ErrorFields }> {
    const { method, only } = this.#options
    if (only && !only.has(user)) return { method: 'scram', verifier: null }
    if (method === 'trust') return { method }
    const listed = this.#listed(user)
    if (listed) {
      if (method === 'md5') return { method, stored: listed.password ?? null }
      return { method: 'scram', verifier: await this.#verifierOf(listed) }
    }
    if (method === 'passthrough') {
      if (socket.tls === null && !isLoopback(socket.remoteAddress)) return { refusal: clearTextOverNetwork() }
      return { method: 'password' }
    }
    const role = await this.#role(user, database)
    const stored = role && !role.expired ? role.stored : null
    if (role && !role.mayLogIn) this.#barred.add(user)
    else this.#barred.delete(user)
    if (stored !== null && isMd5Stored(stored)) return { refusal: md5Role(user) }
    return { method: 'scram', verifier: stored === null ? null : parseVerifier(stored) }
  }

  /** Null if this is the user's password. */
  async prove(user: string, database: string, password: Uint8Array): Promise<ErrorFields | null> {
    const outcome = await this.#options.tryLogin(user, database, password)
    if ('refusal' in outcome) return outcome.refusal
    this.#secrets.set(user, outcome.keys ? { keys: outcome.keys } : { password })
    return null
  }

  /** Why a user does not come in although it has proved who it is: as in PostgreSQL, only then is it told. */
  barred(user: string): ErrorFields | null {
    return this.#barred.has(user) ? mayNotLogIn(user) : null
  }

  /** What logs in at the origin as a user who has come in. */
  secretOf(user: string, proof: Proof): ScramSecret {
    const listed = this.#listed(user)
    if (listed?.password !== undefined) return { password: encoder.encode(listed.password) }
    if (proof.by === 'scram') return { keys: proof.keys }
    return this.#secrets.get(user) ?? {}
  }

  #listed(user: string): ListedUser | undefined {
    return this.#options.users.find(({ name }) => name === user)
  }

  #verifierOf(listed: ListedUser): Promise<ScramVerifier> {
    let verifier = this.#verifiers.get(listed.name)
    if (!verifier) {
      verifier = listed.verifier
        ? Promise.resolve(listed.verifier)
        : makeVerifier(encoder.encode(listed.password ?? ''), randomBytes(16), deriveKey)
      this.#verifiers.set(listed.name, verifier)
    }
    return verifier
  }

  async #role(user: string, database: string): Promise<Role | null> {
    const { role: ask, refreshMs, now } = this.#options
    if (!ask) return null
    try {
      const role = await ask(user, database)
      this.#roles.set(user, { role, at: now() })
      return role
    } catch (error) {
      const known = this.#roles.get(user)
      if (known && now() - known.at < refreshMs) return known.role
      throw error
    }
  }
}

const encoder = new TextEncoder()

const isLoopback = (address: string) =>
  address === 'unix' || address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.')

const clearTextOverNetwork = () =>
  fatal('28000', 'the password would be sent in clear text over the network', {
    hint: 'Connect with sslmode=require: with auth = "passthrough" Sluice asks for it over TLS or loopback only.',
  })

const mayNotLogIn = (user: string) => fatal('28000', `role "${user}" is not permitted to log in`)

const md5Role = (user: string) => ({
  ...wrongPassword(user),
  detail: 'The origin keeps this password as MD5, with which Sluice cannot log in on the user’s behalf.',
  hint: 'Set the password anew with password_encryption = scram-sha-256, or list the user in sluice.toml.',
})
