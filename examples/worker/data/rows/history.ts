/** When things happened: the days of the data set, and rows in the order of their time. */
import type { Random } from '../random.ts'

export type Row = Record<string, unknown>

export interface Happened {
  at: number
  row: Row
}

export const day = 86_400_000
/** The moment the data set was taken: everything in it happened before. */
export const end = Date.UTC(2026, 5, 30, 18)
export const start = end - 900 * day

/** Whole seconds: what a form or a log would have written. */
export const instant = (time: number) => new Date(Math.floor(time / 1000) * 1000).toISOString()
export const dateOf = (time: number) => instant(time).slice(0, 10)

/** Some moment after `time`; most things happen soon. */
export function after(random: Random, time: number, latest = end): number {
  const wait = random.fraction()
  return time + (latest - time) * wait * wait
}

export const inOrder = <T extends { at: number }>(events: T[]): T[] =>
  events.sort((one, other) => one.at - other.at)

export const numbered = (events: Happened[]): Row[] =>
  inOrder(events).map(({ row }, index) => ({ id: index + 1, ...row }))
