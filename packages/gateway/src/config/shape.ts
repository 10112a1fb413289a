/**
 * Reads tables of sluice.toml by what the schema says of them, and knows of each value where it stands.
 *
 *     schema  table(name, { key: setting | table | list | text or table })
 *     result  Section<keys>: its values, typed by the schema, and `fail`, which names the place and the key
 *
 * A text may be `{ env = "NAME" }`: it comes from the environment, and is never shown. The variable must be there.
 */
import { ConfigError } from './config-error.ts'
import { nearest } from './nearest.ts'
import type { Setting } from './setting.ts'
import { type Entry, isTable, type Scalar, type Table } from './toml.ts'

export interface TableShape<Keys extends KeyShapes = KeyShapes> {
  readonly is: 'table'
  /** As errors call it. */
  readonly name: string
  readonly keys: Keys
  /** It is there, with its keys' defaults, even if it is not written. */
  readonly always?: true
}

export interface ListShape<Keys extends KeyShapes = KeyShapes> {
  readonly is: 'list'
  readonly of: TableShape<Keys>
}

export interface TextOrShape<Keys extends KeyShapes = KeyShapes> {
  readonly is: 'text or table'
  readonly text: Setting<string>
  readonly table: TableShape<Keys>
}

export type KeyShape = Setting<unknown> | TableShape | ListShape | TextOrShape
export interface KeyShapes {
  readonly [key: string]: KeyShape
}

export const table = <Keys extends KeyShapes>(name: string, keys: Keys): TableShape<Keys> => ({
  ...{ is: 'table', name, keys },
})

export const always = <Keys extends KeyShapes>(
  table: TableShape<Keys>,
): TableShape<Keys> & { always: true } => ({
  ...{ ...table, always: true },
})

/** `[[name]]`, any number of times. */
export const list = <Keys extends KeyShapes>(of: TableShape<Keys>): ListShape<Keys> => ({ is: 'list', of })

export const textOr = <Keys extends KeyShapes>(
  text: Setting<string>,
  table: TableShape<Keys>,
): TextOrShape<Keys> => ({ ...{ is: 'text or table', text, table } })

/** What is read of a key. */
type ValueOf<Shape> =
  Shape extends Setting<infer T>
    ? Shape extends { standard: unknown } | { required: true }
      ? T
      : T | undefined
    : Shape extends ListShape<infer Keys>
      ? readonly Section<Keys>[]
      : Shape extends TextOrShape<infer Keys>
        ? string | Section<Keys>
        : Shape extends TableShape<infer Keys>
          ? Shape extends { always: true }
            ? Section<Keys>
            : Section<Keys> | undefined
          : never

export type Values<Keys extends KeyShapes> = { readonly [Key in keyof Keys]: ValueOf<Keys[Key]> }

export type Environment = Readonly<Record<string, string | undefined>>

/** A table that was read. */
export class Section<Keys extends KeyShapes = KeyShapes> {
  readonly values: Values<Keys>
  readonly #table: Table
  readonly #environment: Environment

  constructor(shape: TableShape<Keys>, table: Table, environment: Environment) {
    this.#table = table
    this.#environment = environment
    for (const [key, { at }] of table.entries)
      if (!Object.hasOwn(shape.keys, key)) this.#refuse(at, unknownKey(key, shape))
    this.values = Object.fromEntries(
      Object.entries(shape.keys).map(([key, each]) => [key, this.#read(key, each, shape.name)]),
    ) as Values<Keys>
  }

  /** Whether the key stands there, and not its default. */
  has(key: keyof Keys & string): boolean {
    return this.#table.entries.has(key)
  }

  /** @param problem as in "pool_mode …" */
  fail(key: keyof Keys & string, problem: string): never {
    return this.#refuse(this.#table.entries.get(key)?.at ?? this.#table.at, `${key} ${problem}`)
  }

  #refuse(at: string, message: string): never {
    throw new ConfigError(`${at}: ${message}`)
  }

  #read(key: string, shape: KeyShape, inTable: string): unknown {
    const entry = this.#table.entries.get(key)
    switch (shape.is) {
      case 'setting':
        return this.#readSetting(key, shape, entry, inTable)
      case 'table':
        if (entry === undefined)
          return (
            shape.always && new Section(shape, { at: this.#table.at, entries: new Map() }, this.#environment)
          )
        if (!isTable(entry.value)) return this.fail(key, `is a table, as ${shape.name}`)
        return new Section(shape, entry.value, this.#environment)
      case 'list':
        return this.#readList(key, shape, entry)
      case 'text or table':
        return entry !== undefined && isTable(entry.value) && !isVariable(entry.value)
          ? new Section(shape.table, entry.value, this.#environment)
          : this.#readSetting(key, shape.text, entry, inTable)
      default:
        return shape satisfies never
    }
  }

  #readList(key: string, { of }: ListShape, entry: Entry | undefined): Section[] {
    if (entry === undefined) return []
    if (!Array.isArray(entry.value)) return this.fail(key, `is a list of tables: write ${of.name}`)
    return entry.value.map(({ value }: Entry) =>
      isTable(value)
        ? new Section(of, value, this.#environment)
        : this.fail(key, `is a list of tables: write ${of.name}`),
    )
  }

  #readSetting(key: string, setting: Setting<unknown>, entry: Entry | undefined, inTable: string): unknown {
    if (entry === undefined) {
      if (setting.required) return this.fail(key, `is missing in ${inTable}: ${setting.expects}`)
      return setting.standard === undefined ? undefined : setting.read(setting.standard)
    }
    const { value } = entry
    if (isTable(value) && isVariable(value)) return this.#readVariable(key, setting, value)
    if (typeof value === 'object' && !(value instanceof Date))
      return this.fail(key, `is ${setting.expects}, not ${isTable(value) ? 'a table' : 'a list'}`)
    return (
      setting.read(value as Scalar) ??
      this.fail(key, wrong(setting, setting.secret ? null : String(shown(value))))
    )
  }

  #readVariable(key: string, setting: Setting<unknown>, { entries }: Table): unknown {
    const name = entries.get('env')?.value
    if (entries.size !== 1 || typeof name !== 'string')
      return this.fail(key, 'comes from the environment by { env = "NAME" }, and by nothing more')
    const given = this.#environment[name]
    if (given === undefined || given === '')
      return this.fail(
        key,
        `comes from the environment variable ${name}, which is ${given === '' ? 'empty' : 'not set'}`,
      )
    return (
      setting.read(given) ??
      setting.read(scalarOf(given)) ??
      this.fail(key, `is ${setting.expects}; the environment variable ${name} holds something else`)
    )
  }
}

const isVariable = ({ entries }: Table) => entries.has('env')

/** The environment has texts only. */
const scalarOf = (text: string): Scalar =>
  text === 'true' || text === 'false' ? text === 'true' : /^\d+$/.test(text) ? Number(text) : text

const wrong = ({ expects }: Setting<unknown>, given: string | null) =>
  `is ${expects}${given === null ? '' : `, not ${given}`}`

const shown = (value: Entry['value']) =>
  typeof value === 'string' ? JSON.stringify(value) : value instanceof Date ? 'a date' : value

function unknownKey(key: string, { name, keys }: TableShape): string {
  const near = nearest(key, Object.keys(keys)) ?? nearestBelow(key, keys)
  const cure = near === undefined ? `there are ${Object.keys(keys).join(', ')}` : `did you mean ${near}?`
  return `unknown key ${JSON.stringify(key)} ${name.startsWith('[') ? 'in' : 'at'} ${name}; ${cure}`
}

/** What would be right in a table below: `max_age in [hyperdrive.caching]`. */
function nearestBelow(key: string, keys: KeyShapes): string | undefined {
  for (const shape of Object.values(keys)) {
    const below = tableOf(shape)
    if (below === null) continue
    const near = nearest(key, Object.keys(below.keys))
    const found = near === undefined ? nearestBelow(key, below.keys) : `${near} in ${below.name}`
    if (found !== undefined) return found
  }
  return undefined
}

function tableOf(shape: KeyShape): TableShape | null {
  switch (shape.is) {
    case 'table':
      return shape
    case 'list':
      return shape.of
    case 'text or table':
      return shape.table
    case 'setting':
      return null
    default:
      return shape satisfies never
  }
}
