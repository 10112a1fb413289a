/** TOML as tables whose keys and values know where they stand. */
import { type AST, ParseError, parseTOML } from 'toml-eslint-parser'
import { ConfigError } from './config-error.ts'

export type Scalar = string | number | boolean | Date

/** What a key of a table is given. */
export interface Entry {
  /** As errors call the place: `sluice.toml:12`, or the flag `--listen`. */
  readonly at: string
  readonly value: Scalar | Table | readonly Entry[]
}

/** A Map, because the file may use `__proto__` for a key. */
export interface Table {
  readonly at: string
  readonly entries: Map<string, Entry>
}

/**
 * @param file as errors call it
 * @throws ConfigError
 */
export function readToml(text: string, file: string): Table {
  const at = (node: AST.TOMLNode) => `${file}:${node.loc.start.line}`
  const root: Table = { at: `${file}:1`, entries: new Map() }
  for (const node of parsed(text, file)) {
    if (node.type === 'TOMLKeyValue') put(root, node, at)
    else {
      const table = open(root, node.resolvedKey, at(node))
      for (const pair of node.body) put(table, pair, at)
    }
  }
  return root
}

export const isTable = (value: Entry['value']): value is Table =>
  typeof value === 'object' && 'entries' in value && value.entries instanceof Map

function parsed(text: string, file: string) {
  try {
    return parseTOML(text).body[0].body
  } catch (error) {
    if (error instanceof ParseError)
      throw new ConfigError(`${file}:${error.lineNumber}: this is not TOML: ${error.message}`)
    throw error
  }
}

/** The table of a header such as `[a.b]` or `[[a]]`; the parser has seen that nothing else has its name. */
function open(root: Table, path: readonly (string | number)[], at: string): Table {
  let table = root
  path.forEach((name, index) => {
    if (typeof name === 'number') return
    const wanted = path[index + 1]
    table = typeof wanted === 'number' ? inList(table, name, wanted, at) : inTable(table, name, at)
  })
  return table
}

function inTable(parent: Table, name: string, at: string): Table {
  const known = parent.entries.get(name)?.value
  if (known !== undefined && isTable(known)) return known
  const table: Table = { at, entries: new Map() }
  parent.entries.set(name, { at, value: table })
  return table
}

function inList(parent: Table, name: string, index: number, at: string): Table {
  const known = parent.entries.get(name)?.value
  const list: Entry[] = Array.isArray(known) ? known : []
  if (known === undefined) parent.entries.set(name, { at, value: list })
  if (index === list.length) list.push({ at, value: { at, entries: new Map() } })
  return list[index]!.value as Table
}

type Placed = (node: AST.TOMLNode) => string

/** `key = value`, with a key such as `a.b.c` too. */
function put(table: Table, pair: AST.TOMLKeyValue, at: Placed): void {
  const names = pair.key.keys.map(part => (part.type === 'TOMLBare' ? part.name : part.value))
  const last = names.pop()!
  const parent = names.reduce((outer, name) => inTable(outer, name, at(pair)), table)
  parent.entries.set(last, { at: at(pair), value: contentOf(pair.value, at) })
}

function contentOf(node: AST.TOMLContentNode, at: Placed): Entry['value'] {
  switch (node.type) {
    case 'TOMLValue':
      return node.value
    case 'TOMLArray':
      return node.elements.map(each => ({ at: at(each), value: contentOf(each, at) }))
    case 'TOMLInlineTable': {
      const table: Table = { at: at(node), entries: new Map() }
      for (const pair of node.body) put(table, pair, at)
      return table
    }
    default:
      return node satisfies never
  }
}
