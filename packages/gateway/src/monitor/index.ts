/**
 * The monitor: whether the path to the database is healthy, how fast it is, and what to do.
 *
 *     options ──▶ run ──▶ checks, performance-page, shape    what the four health pages say
 *                  │ ──▶ load ──▶ tally, latencies           when to send, and what came of it
 *                  ▼
 *               report ◀── thresholds, advice                one plain value
 *                  │
 *                  └──▶ text, or JSON
 *
 * All but http.ts is without I/O: answers, times and a stop come in, a report goes out.
 */
export type { Answer, Ask, Clock } from './answer.ts'
export { type Client, openClient, systemClock } from './http.ts'
export { percentiles } from './latencies.ts'
export { defaults, type MonitorOptions } from './options.ts'
export type { Report } from './report.ts'
export { monitor, type Progress } from './run.ts'
export { type Look, progressLine, textOf } from './text.ts'
export type { Threshold } from './thresholds.ts'
