/**
 * What has been found of a write, and what of it is still to be looked at.
 *
 * Nobody here looks at what he finds: he adds it, and whoever knows about it takes it from the list (judge.ts). So
 * nothing is looked at twice, and functions that call each other come to an end.
 */

import type { RangeVar } from 'libpg-query'
import type { Catalogue, Oid, Relation, Routine } from '../../catalogue/index.ts'
import type { Parser } from '../parser.ts'
import type { RowRead } from '../reading.ts'
import { type NamesMoved, type WriteContext, type Writes, writesNothing } from '../writing.ts'
import { relationsOf, type Unlisted } from './names.ts'

/** The parser, as far as it is needed. */
export type Texts = Pick<Parser, 'parse' | 'parsePlpgsql'>

/** Schemas in which names are looked for, in their order. */
export type Path = readonly string[]

/** Of what the catalogue stores, names are written out unless they are pg_catalog's. */
export const storedNames: Path = ['pg_catalog']

export type Event = 'insert' | 'update' | 'delete' | 'truncate'

export interface Change {
  readonly does: 'change'
  readonly relation: Relation
  readonly event: Event
  /** Not the partitions or children. */
  readonly only: boolean
  /** That are assigned to by an update. */
  readonly columns: ReadonlySet<string> | 'any'
  /** No other rows; null if they can't be told. */
  readonly rows: readonly RowRead[] | null
  readonly path: Path
}

export type Task =
  | Change
  | { readonly does: 'read'; readonly relation: Relation; readonly path: Path }
  | { readonly does: 'call'; readonly routine: Routine; readonly path: Path }
  | {
      readonly does: 'run'
      readonly text: string
      /** Where its own names are looked for, and where those of what it sets off are. */
      readonly names: Path
      readonly path: Path
    }

export class Findings {
  readonly catalogue: Catalogue
  readonly texts: Texts
  readonly tables = new Set<Oid>()
  readonly inserts = new Set<Oid>()
  readonly rows: RowRead[] = []
  ddl = false
  commits = false
  runsInPath = false
  #movesNames: NamesMoved | null = null
  readonly #maySkip: boolean
  #opaque: string | null = null
  readonly #tasks: Task[] = []
  #at = 0
  readonly #added = new Set<string>()

  constructor({ catalogue, maySkip = false }: WriteContext, texts: Texts) {
    this.catalogue = catalogue
    this.texts = texts
    this.#maySkip = maySkip
  }

  /** What a name that is looked for in these schemas may mean. */
  relationsOf(path: Path, name: RangeVar = {}): readonly (Relation | Unlisted)[] {
    return relationsOf(this.catalogue, path, name, this.#maySkip)
  }

  /** More may have changed than is found, and this is why; the first reason is told. */
  opaque(why: string): void {
    this.#opaque ??= why
  }

  /** Behind it names mean something else. */
  moves(how: NamesMoved): void {
    const before = this.#movesNames
    if (before === null) this.#movesNames = how
    else if (typeof before === 'object' && typeof how === 'object') this.#movesNames = [...before, ...how]
    else if (before !== how) this.#movesNames = 'unknown'
  }

  /** Names may mean something else by now than where the text begins. */
  get hasMoved(): boolean {
    return this.#movesNames !== null && this.#movesNames !== 'back'
  }

  add(task: Task): void {
    const key = keyOf(task)
    if (this.#added.has(key)) return
    this.#added.add(key)
    this.#tasks.push(task)
  }

  next(): Task | undefined {
    return this.#tasks[this.#at++]
  }

  writes(): Writes {
    const { tables, rows, inserts, ddl, commits, runsInPath } = this
    const movesNames = this.#movesNames
    const none = tables.size + inserts.size + rows.length === 0 && this.#opaque === null
    if (none && !ddl && !commits && !movesNames && !runsInPath) return writesNothing
    return {
      tables: [...tables],
      rows: distinct(rows.filter(({ relation }) => !tables.has(relation))),
      inserts: [...inserts].filter(relation => !tables.has(relation)),
      opaque: this.#opaque,
      ddl,
      commits,
      movesNames,
      runsInPath,
    }
  }
}

function keyOf(task: Task): string {
  const path = JSON.stringify(task.path)
  switch (task.does) {
    case 'change': {
      const columns = task.columns === 'any' ? '*' : JSON.stringify([...task.columns].sort())
      return `${task.event} ${task.relation.oid} ${task.only} ${columns} ${JSON.stringify(task.rows)} ${path}`
    }
    case 'read':
      return `read ${task.relation.oid} ${path}`
    case 'call':
      return `call ${task.routine.oid} ${path}`
    case 'run':
      return `run ${JSON.stringify(task.names)} ${path} ${task.text}`
    default:
      return task satisfies never
  }
}

const distinct = (rows: readonly RowRead[]): readonly RowRead[] => [
  ...new Map(rows.map(row => [JSON.stringify(row), row])).values(),
]
