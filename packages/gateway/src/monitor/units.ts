/** Figures as people read them. */

/** Three digits at most, and never "0 ms": what is too short to be seen is said to be short. */
export function ms(value: number | null): string {
  if (value === null) return '-'
  if (value < 0.01) return '<0.01 ms'
  if (value < 9.995) return `${value.toFixed(value < 0.9995 ? 2 : 1)} ms`
  if (value < 999.5) return `${Math.round(value)} ms`
  return `${(value / 1000).toFixed(value < 9_995 ? 2 : 1)} s`
}

/** What a Worker's clock measured: it counts whole milliseconds, so less than one is not nothing. */
export function workerMs(value: number | null): string {
  if (value === null || value >= 10) return ms(value)
  return value < 1 ? '<1 ms' : `${Number(value.toFixed(1))} ms`
}

export function percent(part: number): string {
  if (part > 0 && part < 0.01) return '<0.01 %'
  return `${Number(part.toFixed(part < 10 ? 2 : 1))} %`
}

export const ofAll = (count: number, all: number): string => percent(all === 0 ? 0 : (count / all) * 100)

export const rate = (perSecond: number): string => `${Number(perSecond.toFixed(perSecond < 10 ? 1 : 0))}/s`

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
