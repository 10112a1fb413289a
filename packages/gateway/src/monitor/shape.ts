/**
 * The JSON of the four health pages, field by field: what a page of ours has, and in words what another one lacks.
 * The fields are those of docs/health.md; what the guide's own page did not have may be missing.
 */

interface Kind {
  readonly called: string
  readonly fits: (value: unknown) => boolean
  readonly optional?: boolean
}

export type Shape = { readonly [field: string]: Kind | Fields }

interface Fields {
  readonly fields: Shape
  readonly optional?: boolean
}

const text: Kind = { called: 'a text', fits: value => typeof value === 'string' }
const textOrNull: Kind = {
  called: 'a text or null',
  fits: value => value === null || typeof value === 'string',
}
const flag: Kind = { called: 'true or false', fits: value => typeof value === 'boolean' }
const count: Kind = { called: 'a count', fits: value => Number.isInteger(value) && (value as number) >= 0 }
const time: Kind = {
  called: 'a time (ISO 8601)',
  fits: value =>
    typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) && !Number.isNaN(Date.parse(value)),
}
const texts: Kind = {
  called: 'a list of nothing but texts',
  fits: value => Array.isArray(value) && value.every(each => typeof each === 'string'),
}
const list: Kind = { called: 'a list', fits: Array.isArray }
const maybe = (kind: Kind): Kind => ({ ...kind, optional: true })

const status: Kind = { called: '"ok" or "error"', fits: value => value === 'ok' || value === 'error' }

export const healthShape: Shape = { status, timestamp: time }
export const liveShape: Shape = { status, alive: flag, timestamp: time }
export const readyShape: Shape = {
  ...{ status, ready: flag, timestamp: time },
  route: textOrNull,
  reason: textOrNull,
}
export const performanceShape: Shape = {
  performance: {
    fields: {
      queryLatency: textOrNull,
      connectionType: text,
      usingHyperdrive: flag,
      hyperdriveConfig: { fields: { configured: flag, bindingAvailable: flag } },
      connectLatency: maybe(textOrNull),
      samples: maybe(count),
    },
  },
  connections: {
    fields: {
      totalConnections: count,
      hyperdriveConnections: count,
      directConnections: count,
      drizzleInstances: count,
    },
  },
  sockets: { fields: { open: count, opened: count, reused: count, failed: count }, optional: true },
  routes: maybe(list),
  timestamp: time,
  recommendations: texts,
}

/** One line for each field that is missing or something else; none if all fit. */
export function misfits(shape: Shape, value: unknown, path = ''): string[] {
  if (!isObject(value)) return [`${path || 'the answer'}: an object expected, ${described(value)} came`]
  return Object.entries(shape).flatMap(([name, kind]) => {
    const at = path ? `${path}.${name}` : name
    const found = value[name]
    if (found === undefined) return kind.optional ? [] : [`${at}: missing`]
    if ('fields' in kind) return misfits(kind.fields, found, at)
    return kind.fits(found) ? [] : [`${at}: ${kind.called} expected, ${described(found)} came`]
  })
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const longest = 40

/** A list or an object only by its name: JSON that is nested deep enough can be read, but not written again. */
function described(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (isObject(value)) return 'an object'
  const json = JSON.stringify(value)
  return json.length > longest ? `${json.slice(0, longest)}...` : json
}
