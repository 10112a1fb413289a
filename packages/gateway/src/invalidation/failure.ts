/** Why there is no stream, and what helps. */
import type { ErrorFields } from '@sluice/wire'

export interface Failure {
  readonly cause: string
  readonly hint: string | null
  /** False if it fails until somebody does what the hint says. */
  readonly possible: boolean
}

const never = (cause: string, hint: string): Failure => ({ cause, hint, possible: false })

export const tooOld = (version: string): Failure =>
  never(
    `PostgreSQL ${version} has no messages in its replication stream`,
    'Exact invalidation needs PostgreSQL 14 or later.',
  )

const setWalLevel =
  'ALTER SYSTEM SET wal_level = logical, and restart PostgreSQL (on RDS: rds.logical_replication = 1).'

export const walLevel = (level: string): Failure => never(`wal_level is ${level}`, setWalLevel)

export const isStandby = (): Failure => ({
  cause: 'the origin is a standby: when a transaction becomes visible can only be asked of a primary',
  hint: 'Name the primary as origin; it is tried again.',
  possible: true,
})

/** @param refusal why the gateway could not make it, if it has tried */
export const noPublication = (
  name: string,
  statement: string,
  refusal: ErrorFields | null = null,
): Failure => ({
  cause: refusal
    ? `publication "${name}" can't be made: ${refusal.message} (${refusal.code})`
    : `there is no publication "${name}"`,
  hint: `Run as the owner of the tables: ${statement}`,
  possible: refusal !== null && !hopeless.has(refusal.code),
})

export const unfit = (name: string, why: string, cure: string): Failure =>
  never(`publication "${name}" ${why}`, cure)

export const elsewhere = (): Failure => ({
  cause: 'the replication stream and the control connection lead to two servers',
  hint: 'Name the primary itself as origin, not a balancer before several servers.',
  possible: true,
})

export const lost = (cause: string): Failure => ({ cause, hint: null, possible: true })

export const silent = (silenceMs: number): Failure =>
  lost(`the stream was silent for ${silenceMs / 1_000} s, though something was put into the WAL`)

export const behind = (delayMs: number): Failure => ({
  cause: `the stream is ${delayMs / 1_000} s behind`,
  hint: 'Something very large was committed, or the server has no time for its replication streams.',
  possible: true,
})

/** What the server said to one of our statements. */
export function refused({ code, message }: ErrorFields): Failure {
  const hint = hints[code] ?? null
  return { cause: `${message} (${code})`, hint, possible: !hopeless.has(code) }
}

const hints: Record<string, string> = {
  '42501':
    'Let the role of the origin replicate: ALTER ROLE … REPLICATION (on RDS: GRANT rds_replication TO …).',
  '53300': 'Raise max_wal_senders: each gateway takes one.',
  '53400': 'Raise max_replication_slots: each gateway takes one.',
  '55000': setWalLevel,
  '08P01': 'A pooler before the origin can not carry replication: name the database itself as origin.',
  '28000': 'pg_hba.conf must let the role in with a replication connection to this database.',
}
const hopeless: ReadonlySet<string> = new Set(['42501', '55000', '08P01', '28000'])
