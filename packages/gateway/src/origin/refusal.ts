/** Why a client gets no server connection, as it is told: SQLSTATE, cause and cure. */
import type { ErrorFields } from '@sluice/wire'

export type Refusal = Omit<ErrorFields, 'severity'>

const ours = (code: string, message: string, hint?: string): Refusal => ({
  code,
  message,
  ...(hint === undefined ? {} : { hint }),
  routine: 'sluice',
})

const seconds = (ms: number) => `${Math.round(ms / 100) / 10} s`

export const waitedTooLong = (pool: string, size: number, waitedMs: number) =>
  ours(
    '53300',
    `no server connection of pool ${pool} (at most ${size}) became free within ${seconds(waitedMs)}`,
    'Shorten the transactions that hold its connections, or raise origin_connection_limit or wait_timeout.',
  )

export const queueFull = (pool: string, size: number, waiting: number) =>
  ours(
    '53300',
    `${waiting} clients wait already for one of the ${size} server connections of pool ${pool}`,
    'Shorten the transactions that hold its connections, or raise origin_connection_limit or queue_limit.',
  )

export const originDown = (pool: string, cause: string, forMs: number) =>
  ours(
    '08006',
    `the database of pool ${pool} can't be reached, since ${seconds(forMs)}: ${cause}`,
    'Is the origin running, and is its address right? `sluice check` tells.',
  )

/** The origin refused the gateway's login: its own words. */
export const loginRefused = (pool: string, fields: ErrorFields): Refusal => ({
  code: fields.code,
  message: fields.message,
  detail: `The origin said so when Sluice opened a connection for pool ${pool}.`,
  ...(fields.hint === undefined ? {} : { hint: fields.hint }),
  routine: 'sluice',
})

export const shuttingDown = () =>
  ours(
    '57P01',
    'terminating connection because the gateway is shutting down',
    'Connect again: another gateway, or this one after its restart, answers.',
  )
