/**
 * pg_cancel_backend and pg_terminate_backend with a process id that the gateway gave to a client.
 *
 *     pg_cancel_backend(1073741830)   ─▶ the gateway cancels what that client runs
 *     the server gets                    (SELECT CASE WHEN (…) >= 1073741824 THEN true ELSE pg_cancel_backend(…) END AS …)
 *
 * So the caller hears what it expects, and ids of real backends go to PostgreSQL as before. Only an id that stands
 * there as a number or a parameter is understood: one that comes from a table is a real one.
 */
import type { BoundValues } from './bound-values.ts'

/**
 * The ids that clients are given are the gateway's own and outside the range of real ones (Linux has none above 2^22), so
 * that an id that a client shows is never taken for that of a backend.
 */
export const firstProcessId = 0x4000_0000

export type Signal = 'cancel' | 'terminate'

/** Signals a client; false if there is none of this id, or it is another user's. */
export type OnSignal = (signal: Signal, processId: number) => boolean

const calls =
  /(?:pg_catalog\s*\.\s*)?\bpg_(cancel|terminate)_backend\s*\(\s*(\$\d+|\d+)\s*(?:::\s*int(?:eger|4)?\s*)?(,\s*\d+\s*)?\)/gi

/** The text as the server gets it; the same if there is nothing to understand. */
export const signalSafe = (text: string): string =>
  text.replace(
    calls,
    (_, signal: string, id: string, timeout = '') =>
      `(SELECT CASE WHEN ${id} >= ${firstProcessId} THEN true ELSE pg_catalog.pg_${signal}_backend(${id}${timeout}) END AS pg_${signal}_backend)`,
  )

/**
 * Signals whom a statement signals, when it is sent.
 *
 * @param text of the statement, as the client sent it or as `signalSafe` gave it
 * @param values bound to its parameters, as text or four bytes; null for a simple Query
 */
export function sendSignals(text: string, values: BoundValues | null, onSignal: OnSignal): void {
  for (const [, signal, id] of text.matchAll(calls)) {
    const processId = id!.startsWith('$') ? numberOf(values?.value(Number(id!.slice(1)))) : Number(id)
    if (processId !== null && processId >= firstProcessId)
      onSignal(signal!.toLowerCase() as Signal, processId)
  }
}

function numberOf(value: string | Uint8Array | null | undefined): number | null {
  if (typeof value === 'string') return /^\d+$/.test(value) ? Number(value) : null
  return value?.length === 4 ? new DataView(value.buffer, value.byteOffset).getInt32(0) : null
}
