/**
 * What one key of the configuration may be given: how it is read, and how it is called when it is wrong.
 *
 * A setting knows its default as one would write it in sluice.toml, so that it can't differ from what may be written
 * there, and the documentation is held against it.
 */
import type { Scalar } from './toml.ts'

export interface Setting<T> {
  readonly is: 'setting'
  /** As in "max_clients is …". */
  readonly expects: string
  /** Undefined if the value is none of these. */
  readonly read: (value: Scalar) => T | undefined
  /** In TOML. Undefined: the key may be left out, and then says nothing. */
  readonly standard?: string | number | boolean
  readonly required?: true
  /** Errors don't show what was given. */
  readonly secret?: true
}

export const text = kind('a text that is not empty', value =>
  typeof value === 'string' && value !== '' && !value.includes('\0') ? value : undefined,
)

export const yesNo = kind('true or false', value => (typeof value === 'boolean' ? value : undefined))

export const whole = (least: number, most: number) =>
  kind(`a whole number from ${least} to ${most}`, value =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most
      ? (value as number)
      : undefined,
  )

export const oneOf = <const Word extends string>(words: readonly Word[]) =>
  kind(`one of ${words.map(word => `"${word}"`).join(', ')}`, value => words.find(word => word === value))

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/**
 * A time in ms: text with a unit, or seconds as a number, as Hyperdrive and PgBouncer have them. At most 20 days, for the
 * timers of Node end at 24.
 */
export const duration = (least: string, most: string = '480h') =>
  kind(
    `a time from ${least} to ${most} with its unit, as "500ms", "30s", "10m" or "1h", or a number of seconds`,
    value => {
      const ms = typeof value === 'number' ? value * 1_000 : msOf(value)
      return ms >= msOf(least) && ms <= msOf(most) ? ms : undefined
    },
  )

function msOf(value: Scalar): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(String(value)) ?? []
  return Math.round(Number(number) * (unitMs[unit] ?? Number.NaN))
}

const unitBytes: Record<string, number> = { B: 1, kB: 1_024, MB: 1_048_576, GB: 1_073_741_824 }

/** Memory in bytes, in PostgreSQL's units; a number is bytes. */
export const size = (least: string, most: string) =>
  kind(`a size from ${least} to ${most} with its unit, as "512kB", "256MB" or "2GB"`, value => {
    const bytes = typeof value === 'number' ? value : bytesOf(value)
    return Number.isInteger(bytes) && bytes >= bytesOf(least) && bytes <= bytesOf(most) ? bytes : undefined
  })

function bytesOf(value: Scalar): number {
  const [, number, unit = ''] = /^(\d+)(B|kB|MB|GB)$/.exec(String(value)) ?? []
  return Number(number) * (unitBytes[unit] ?? Number.NaN)
}

/** Where to listen: `127.0.0.1:6432`, `[::]:6432`, `localhost:6432`, and `:6432` for all addresses. */
export const address = kind('an address, as "127.0.0.1:6432" or "[::1]:6432"', value => {
  const [, v6, name, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]*)):(\d{1,5})$/.exec(String(value)) ?? []
  if (port === undefined || Number(port) > 65_535) return undefined
  return { host: v6 ?? (name || '::'), port: Number(port) }
})

function kind<T>(expects: string, read: (value: Scalar) => T | undefined): Setting<T> {
  return { is: 'setting', expects, read }
}

/** What stands if the key is left out, as it would be written. */
export const standard = <T>(
  setting: Setting<T>,
  value: string | number | boolean,
): Setting<T> & { standard: string | number | boolean } => ({ ...setting, standard: value })

export const required = <T>(setting: Setting<T>): Setting<T> & { required: true } => ({
  ...setting,
  required: true,
})

export const secret = <T>(setting: Setting<T>): Setting<T> => ({ ...setting, secret: true })
