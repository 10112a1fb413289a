/** What the gateway runs on here: the sockets of this runtime, time, and its own version. */

import about from '../../package.json' with { type: 'json' }
import { type Clock, systemClock } from '../transport/clock.ts'
import type { Transport } from '../transport/transport.ts'

export const version = about.version

export async function transportHere(): Promise<Transport> {
  return process.versions.bun
    ? (await import('../transport/bun.ts')).bunTransport
    : (await import('../transport/node.ts')).nodeTransport
}

/** As a banner names it. */
export const runtimeHere = process.versions.bun
  ? `Bun ${process.versions.bun}`
  : `Node ${process.versions.node}`

/** Sockets keep the process alive, timers don't: once the gateway has closed them all, it may end. */
export const clockHere: Clock = {
  now: systemClock.now,
  after(ms, call) {
    const timer = setTimeout(call, ms).unref()
    return () => clearTimeout(timer)
  },
}
