/** What the gateway itself tells a client: SQLSTATE, cause and cure. */
import { errorResponse } from '@sluice/wire'
import type { Refusal } from '../origin/refusal.ts'

export const refused = (refusal: Refusal, severity: 'ERROR' | 'FATAL' = 'ERROR'): Uint8Array =>
  errorResponse({ ...refusal, severity })

const ours = (code: string, message: string, hint?: string): Refusal => ({
  code,
  message,
  ...(hint === undefined ? {} : { hint }),
  routine: 'sluice',
})

export const notTheProtocol = (what: string) => ours('08P01', what)

export const serverLost = (cause: string) =>
  ours(
    '08006',
    `the connection to the database was lost: ${cause}`,
    'What was running may have run or not; nothing of it was sent again.',
  )

export const canceled = () => ours('57014', 'canceling statement due to user request')

export const queryTimedOut = (ms: number) =>
  ours(
    '57014',
    `canceling statement due to query_timeout (${ms / 1_000} s)`,
    'Make the statement quicker, or raise query_timeout in sluice.toml.',
  )

export const idleInTransaction = (ms: number) =>
  ours(
    '25P03',
    `terminating connection due to idle_in_transaction_timeout (${ms / 1_000} s)`,
    'End transactions soon, or raise idle_in_transaction_timeout in sluice.toml.',
  )

export const terminated = () => ours('57P01', 'terminating connection due to administrator command')

export const planChanged = () => ours('0A000', 'cached plan must not change result type')

export const tooManyStatements = (limit: number) =>
  ours(
    '54000',
    `this connection has ${limit} prepared statements`,
    'Close those that are not used any more, or use unnamed ones for texts that do not repeat.',
  )

export const replayFailed = (fields: Refusal): Refusal => ({
  ...fields,
  detail: 'It happened when Sluice gave a server connection the parameters that this client has set.',
  routine: 'sluice',
})

export const tooLong = (bytes: number) =>
  ours(
    '54000',
    `a message of ${bytes} bytes is too long to be prepared`,
    'Send large values as parameters (Bind), which have no limit here, or by COPY.',
  )
