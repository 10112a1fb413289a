/**
 * The monitor: whether the path to the database is healthy, how fast it is, and what to do.
 *
 *     options ──▶ run ──▶ checks, performance-page, shape    what the four health pages say
 *                  │ ──▶ load ──▶ tally, latencies           when to send, and what came of it
 *                  │ ──▶ progress                            the live line, meanwhile
 *                  ▼
 *               report ◀── thresholds, advice                one plain value
 *                  │
 *                  └──▶ text, or JSON
 *
 * All but http.ts is without I/O: answers, times and a stop come in, a report goes out.
 */
export { openClient, systemClock } from './http.ts'
export { percentiles } from './latencies.ts'
export { defaults, type MonitorOptions } from './options.ts'
export { type Progress, progressLine } from './progress.ts'
export { monitor } from './run.ts'
export { type Look, textOf } from './text.ts'
export type { Threshold } from './thresholds.ts'
