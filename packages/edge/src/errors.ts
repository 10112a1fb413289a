/**
 * Every error that a user of this library can meet, in one place: what happened, and the remedy.
 *
 * `code` is a SQLSTATE: PostgreSQL's own where it gave one, the nearest class where the error is ours.
 * `reason` names ours; docs/errors.md has an entry for each. No message, cause or property ever holds a
 * password: the connection URL does not leave url.ts and the socket, and foreign errors pass `foreign()`.
 */
import { isWorkerd } from './runtime.ts'
import { redact, type Target } from './url.ts'

export type RouteName = 'hyperdrive' | 'hyperdrive-fresh' | 'direct'

/** 'no': no statement reached a socket, so trying again is safe. 'maybe': it may have run. */
export type Sent = 'no' | 'maybe'

/** The fields of PostgreSQL's ErrorResponse (documentation, "Error and Notice Message Fields"). */
const serverFields = [
  'severity',
  'detail',
  'hint',
  'position',
  'where',
  'schema',
  'table',
  'column',
  'dataType',
  'constraint',
  'routine',
] as const

type ServerFields = { [Field in (typeof serverFields)[number]]?: string }

export type Reason =
  | 'sql'
  | 'no-route'
  | 'bad-url'
  | 'nodejs-compat'
  | 'global-scope'
  | 'driver-missing'
  | 'connect-failed'
  | 'connect-deadline'
  | 'refused'
  | 'pool-exhausted'
  | 'connection-lost'
  | 'commit-unknown'
  | 'query-deadline'
  | 'query-aborted'
  | 'transaction-text'
  | 'session-text'
  | 'copy-text'
  | 'transaction-ended'
  | 'transaction-failed'
  | 'handle-ended'
  | 'run-sealed'
  | 'bad-parameter'
  | 'bad-answer'

export interface DatabaseErrorInit extends ServerFields {
  reason: Reason
  code: string
  route?: RouteName | undefined
  retryable?: boolean | undefined
  sent?: Sent | undefined
  cause?: unknown
}

/**
 * The one error class of this library, for every driver.
 *
 * - `code`: SQLSTATE. `reason`: which rule or event of this library, `'sql'` for PostgreSQL's own errors.
 * - `route`: which way the statement went, undefined before a route was chosen.
 * - `sent`: whether the statement may have run. `retryable`: running the same thing again is safe and may help.
 */
export class DatabaseError extends Error implements ServerFields {
  readonly code: string
  readonly reason: Reason
  readonly route: RouteName | undefined
  readonly retryable: boolean
  readonly sent: Sent
  declare readonly severity?: string
  declare readonly detail?: string
  declare readonly hint?: string
  declare readonly position?: string
  declare readonly where?: string
  declare readonly schema?: string
  declare readonly table?: string
  declare readonly column?: string
  declare readonly dataType?: string
  declare readonly constraint?: string
  declare readonly routine?: string

  constructor(message: string, init: DatabaseErrorInit) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.name = 'DatabaseError'
    this.code = init.code
    this.reason = init.reason
    this.route = init.route
    this.sent = init.sent ?? 'no'
    this.retryable = init.retryable ?? this.sent === 'no'
    for (const field of serverFields) {
      const value = init[field]
      if (typeof value === 'string') Object.defineProperty(this, field, { value, enumerable: true })
    }
  }

  toJSON(): Record<string, unknown> {
    return { ...(this as Record<string, unknown>), name: this.name, message: this.message }
  }
}

/** A copy of a foreign error that is safe to show: its class, code and message, passwords out, nothing else. */
export function foreign(error: unknown, target: Target | undefined): Error {
  const source = error as { name?: unknown; message?: unknown; code?: unknown } | null | undefined
  const message = typeof source?.message === 'string' ? source.message : String(error)
  const copy = new Error(redact(message, target))
  if (typeof source?.name === 'string') copy.name = source.name
  copy.stack = `${copy.name}: ${copy.message}`
  if (typeof source?.code === 'string')
    Object.defineProperty(copy, 'code', { value: source.code, enumerable: true })
  return copy
}

/** What a server said, PostgreSQL or a pooler before it: nothing else that a driver throws has a severity. */
export const isServerError = (error: unknown): boolean =>
  typeof (error as { severity?: unknown }).severity === 'string'

/** SQLSTATEs after which PostgreSQL has rolled back for a reason that a second try can outlive. */
const worthRetrying = new Set(['40001', '40P01'])

/**
 * PostgreSQL's answer to a statement, as each driver hands it over.
 * @param committedInside whether the statement may have committed a part of its work before it failed
 */
export function sqlError(
  error: unknown,
  route: RouteName,
  target: Target,
  sent: Sent,
  committedInside = false,
): DatabaseError {
  const source = error as Record<string, unknown>
  const text = (...names: string[]) => {
    for (const name of names) {
      const value = source[name]
      if (value !== undefined && value !== null && value !== '') return String(value)
    }
    return undefined
  }
  const code = text('code') ?? 'XX000'
  // postgres.js names some of them otherwise: schema_name, "data type_name".
  const fields: ServerFields = Object.fromEntries(
    serverFields.map(field => {
      const value = text(field, `${field === 'dataType' ? 'data type' : field}_name`)
      return [field, value && redact(value, target)]
    }),
  )
  return new DatabaseError(redact(text('message') ?? 'error without a message', target), {
    ...fields,
    reason: 'sql',
    code,
    route,
    sent,
    retryable: sent === 'no' || (worthRetrying.has(code) && !committedInside),
  })
}

/** After such an answer the server closes the connection (PostgreSQL documentation, "Error and Notice Message Fields"). */
export const endsSession = ({ reason, severity }: DatabaseError): boolean =>
  reason === 'sql' && (severity === 'FATAL' || severity === 'PANIC')

/** The connection is gone: it was lost, or the server said that it closes it. */
export const isConnectionLoss = (error: DatabaseError): boolean =>
  error.reason === 'connection-lost' || endsSession(error)

export const noRoute = () =>
  new DatabaseError('neither a HYPERDRIVE binding nor DATABASE_URL is there', {
    reason: 'no-route',
    code: '08001',
    retryable: false,
    hint: 'Add [[hyperdrive]] with binding = "HYPERDRIVE" to wrangler.toml, or set DATABASE_URL.',
  })

export const badUrl = (message: string, hint: string | undefined, route: RouteName) =>
  new DatabaseError(message, {
    reason: 'bad-url',
    code: '08001',
    route,
    retryable: false,
    hint: hint ?? 'The form is postgres://user:password@host:port/database?sslmode=require.',
  })

export const missingNodejsCompat = (module: string) =>
  new DatabaseError(`this runtime has no ${module}`, {
    reason: 'nodejs-compat',
    code: '0A000',
    retryable: false,
    hint: 'On Workers add compatibility_flags = ["nodejs_compat"] and a compatibility_date of 2024-09-23 or later to wrangler.toml; on Node use 20.16 or newer.',
  })

export const globalScope = (cause: unknown) =>
  new DatabaseError('a query was started in global scope, where Workers allow no I/O', {
    reason: 'global-scope',
    code: '55000',
    retryable: false,
    cause: foreign(cause, undefined),
    hint: 'A handle may be made there; use it inside fetch, scheduled, queue, or a Durable Object.',
  })

export const driverMissing = (name: string, error: unknown) => {
  const cause = foreign(error, undefined)
  return new DatabaseError(`the driver package "${name}" can't be loaded: ${cause.message}`, {
    reason: 'driver-missing',
    code: '0A000',
    retryable: false,
    cause,
    hint: `Install it (npm install ${name}), or choose another with createDatabaseManager({ driver }). On Workers, compatibility_flags must hold "nodejs_compat".`,
  })
}

const ways: Readonly<Record<RouteName, string>> = {
  hyperdrive: 'the HYPERDRIVE binding',
  'hyperdrive-fresh': 'the HYPERDRIVE_FRESH binding',
  direct: 'the direct URL',
}

export const wayOf = (route: RouteName) => ways[route]

const placeOf = (target: Target) => target.hosts.map(({ host, port }) => `${host}:${port}`).join(', ')

/** workerd does not say that a certificate was the reason: "internal error" is all. */
const certificateHint = ({ sslmode }: Target) =>
  isWorkerd && sslmode !== 'disable'
    ? ' (Workers trust certificates of public authorities only: for another, put Hyperdrive in between, or sslmode=disable where the network is yours)'
    : ''

export const connectFailed = (cause: unknown, route: RouteName, target: Target) => {
  const safe = foreign(cause, target)
  return new DatabaseError(`can't connect through ${wayOf(route)} (${placeOf(target)}): ${safe.message}`, {
    reason: 'connect-failed',
    code: '08001',
    route,
    cause: safe,
    hint:
      route !== 'direct'
        ? 'Check the Hyperdrive configuration of the binding and whether its origin is up; checkConfig(env) tries each route.'
        : `Check host, port, sslmode and firewall of DATABASE_URL${certificateHint(target)}; checkConfig(env) tries each route.`,
  })
}

export const connectDeadline = (route: RouteName, target: Target, deadlineMs: number) =>
  new DatabaseError(`no connection through ${wayOf(route)} (${placeOf(target)}) within ${deadlineMs} ms`, {
    reason: 'connect-deadline',
    code: '08001',
    route,
    hint: 'The host does not answer, or the database is busy. Raise connectDeadlineMs only if connecting is known to take longer.',
  })

const refusalHints: Record<string, string> = {
  '28P01': 'Check user and password; special characters must be percent-encoded in a URL.',
  '28000': 'Check user, pg_hba.conf and sslmode.',
  '3D000': 'Check the database name at the end of the URL.',
  '53300':
    'The server has no connection left: lower maxConnections or the pools of other applications, or raise max_connections.',
  '57P03': 'The server is starting or stopping: try again shortly.',
}

/** PostgreSQL, or a pooler before it, said no before the session's first ReadyForQuery. */
export const refused = (error: unknown, route: RouteName, target: Target) => {
  const { message, code, detail, hint, severity, routine } = sqlError(error, route, target, 'no')
  const advice = hint ?? refusalHints[code]
  return new DatabaseError(
    `${wayOf(route)} (${placeOf(target)}, ${route === 'direct' ? `DATABASE_URL user "${target.user}"` : `user "${target.user}"`}) refused the connection: ${message}`,
    {
      reason: 'refused',
      code,
      route,
      retryable: code === '53300' || code === '57P03' || code === '58000' || code.startsWith('08'),
      ...(advice && { hint: advice }),
      ...(detail && { detail }),
      ...(severity && { severity }),
      ...(routine && { routine }),
    },
  )
}

export const poolExhausted = (route: RouteName, size: number, waitedMs: number) =>
  new DatabaseError(
    `none of the ${size} connections of the ${route} route became free within ${waitedMs} ms`,
    {
      reason: 'pool-exhausted',
      code: '53300',
      route,
      hint: 'Shorten the transactions that hold connections, or raise maxConnections within what the server allows (max_connections).',
    },
  )

export const connectionLost = (cause: unknown, route: RouteName, target: Target, sent: Sent) => {
  const safe = foreign(cause, target)
  return new DatabaseError(
    sent === 'maybe'
      ? `the connection through ${wayOf(route)} was lost after the statement had been sent: whether it ran is unknown`
      : `the connection through ${wayOf(route)} was lost before the statement was sent`,
    {
      reason: 'connection-lost',
      code: '08006',
      route,
      sent,
      cause: safe,
      ...(sent === 'maybe' && {
        hint: 'A read may be run again. Before repeating a write, look whether it took effect, or make it idempotent (a unique key, on conflict do nothing).',
      }),
    },
  )
}

const shortened = (text: string) => {
  const line = text.trim().replaceAll(/\s+/g, ' ')
  return line.length > 60 ? `${line.slice(0, 59)}…` : line
}

/** @param first the text of the transaction's first statement */
export const commitUnknown = (cause: unknown, route: RouteName, target: Target, first: string) =>
  new DatabaseError(
    `the answer to COMMIT did not arrive: whether the transaction that began with "${shortened(first)}" took effect is unknown`,
    {
      reason: 'commit-unknown',
      code: '08007',
      route,
      sent: 'maybe',
      cause: foreign(cause, target),
      hint: 'It was not repeated. Look whether its rows are there before running it again.',
    },
  )

export const queryDeadline = (route: RouteName | undefined, deadlineMs: number, sent: Sent) =>
  new DatabaseError(
    `no answer within ${deadlineMs} ms${sent === 'maybe' ? '; the statement was sent and may have run' : '; the statement was not sent'}`,
    {
      reason: 'query-deadline',
      code: '57014',
      route,
      sent,
      retryable: false,
      hint: 'Raise it for this query with .with({ deadlineMs }), or for all with queryDeadlineMs.',
    },
  )

/** The deadline of a statement that waited for a nested transaction beside it, or for one that waits for it in turn. */
export const nestedStillOpen = (route: RouteName, deadlineMs: number) =>
  new DatabaseError(
    `a nested transaction beside this statement was open for ${deadlineMs} ms; the statement was not sent`,
    {
      reason: 'query-deadline',
      code: '57014',
      route,
      retryable: false,
      hint: 'What is started outside of tx.transaction(…) waits until that has ended: start it inside, or do not await it there.',
    },
  )

export const queryAborted = (route: RouteName | undefined, cause: unknown, sent: Sent) =>
  new DatabaseError(
    `aborted by its signal${sent === 'maybe' ? ' after the statement was sent' : ' before the statement was sent'}`,
    { reason: 'query-aborted', code: '57014', route, sent, retryable: false, cause },
  )

export const transactionText = (
  word: string,
  where = 'on a handle: each statement may use another connection',
) =>
  new DatabaseError(`${word.toUpperCase()} as text has no place ${where}`, {
    reason: 'transaction-text',
    code: '25000',
    retryable: false,
    hint: 'Use sql.transaction(async tx => …), and tx.transaction(…) for a savepoint.',
  })

export const sessionText = (word: string) =>
  new DatabaseError(
    `${word.toUpperCase()} changes a session, and a handle has none: each statement may use another connection`,
    {
      reason: 'session-text',
      code: '25000',
      retryable: false,
      hint: 'Inside sql.transaction use SET LOCAL; for every connection put options=-c%20name=value into the URL.',
    },
  )

export const copyText = () =>
  new DatabaseError('COPY is not carried here: a query has no stream for its data', {
    reason: 'copy-text',
    code: '0A000',
    retryable: false,
    hint: 'Insert many rows with sql.rows or unnest($1, …), read many with a cursor, or use psql for files.',
  })

export const transactionEnded = (route: RouteName) =>
  new DatabaseError('a statement ended the transaction that it was part of', {
    reason: 'transaction-ended',
    code: '2D000',
    route,
    sent: 'maybe',
    retryable: false,
    hint: 'COMMIT, ROLLBACK and procedures that commit have no place inside sql.transaction.',
  })

export const transactionFailed = (route: RouteName) =>
  new DatabaseError('PostgreSQL rolled the transaction back at COMMIT: an earlier statement had failed', {
    reason: 'transaction-failed',
    code: '25P02',
    route,
    sent: 'maybe',
    retryable: false,
    hint: 'The error of that statement was caught inside the transaction. Let it pass, or put the statement into tx.transaction(…), a savepoint.',
  })

export const handleEnded = (what: string) =>
  new DatabaseError(`${what} has ended: this handle sends nothing more`, {
    reason: 'handle-ended',
    code: '25000',
    retryable: false,
    hint: 'Await every query before the function returns.',
  })

export const runSealed = () =>
  new DatabaseError(
    'this run was given up and is being repeated on another route: nothing more is sent for it',
    {
      reason: 'run-sealed',
      code: '57014',
      retryable: false,
    },
  )

export const badParameter = (message: string) =>
  new DatabaseError(message, { reason: 'bad-parameter', code: '22023', retryable: false })

export const badAnswer = (message: string, route: RouteName) =>
  new DatabaseError(message, { reason: 'bad-answer', code: '08P01', route, sent: 'maybe', retryable: false })
