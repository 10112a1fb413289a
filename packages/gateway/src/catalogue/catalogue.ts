/**
 * What a database has, as far as the meaning of a statement depends on it: plain data, read at one time, never changed.
 *
 *     read.ts ──rows──▶ Catalogue ──▶ sql/reading/: what a statement reads
 *                          │
 *                          ├────────▶ which writes are opaque: triggers, rules, foreign keys
 *                          └────────▶ which slots a change touches: a leaf's ancestors, keys, identities
 *
 * Of relations it holds what users made (and the names of the system's), of functions, operators, casts and types all.
 * When anything of it may have changed, its `fingerprint` has (fingerprint.ts), and another one is read.
 */
import type { Fingerprint } from './fingerprint.ts'

/** An object's identity in its database. */
export type Oid = number

/** Objects below this one came with the server. */
export const firstUserOid: Oid = 16_384

export interface Column {
  readonly name: string
  /** `attnum`. */
  readonly number: number
  readonly type: Oid
  readonly typmod: number
  /** 0: its type has none. */
  readonly collation: Oid
  readonly notNull: boolean
  /** Of GENERATED ALWAYS AS: `stored`, `virtual`. */
  readonly generated: 'stored' | 'virtual' | null
}

export interface Policy {
  readonly name: string
  /** `*` all commands, `r` SELECT, `a` INSERT, `w` UPDATE, `d` DELETE. */
  readonly command: string
  readonly permissive: boolean
  /** Roles' oids; 0 is PUBLIC. */
  readonly roles: readonly Oid[]
  /** USING and WITH CHECK, as SQL whose names are resolved in pg_catalog alone. */
  readonly using: string | null
  readonly check: string | null
}

export interface Trigger {
  readonly name: string
  readonly function: Oid
  /** A constraint trigger; `deferrable` ones may run at COMMIT. */
  readonly constraint: boolean
  readonly deferrable: boolean
  /** As in `ALTER TABLE … ENABLE`: `O` origin, `A` always, `R` replica, `D` disabled. */
  readonly enabled: string
  /** Bits of `tgtype`: 1 for each row, 2 before, 4 INSERT, 8 DELETE, 16 UPDATE, 32 TRUNCATE, 64 instead of. */
  readonly type: number
  /** What it calls OLD TABLE and NEW TABLE. */
  readonly transitionTables: readonly string[]
}

export interface Rule {
  readonly name: string
  /** `2` UPDATE, `3` INSERT, `4` DELETE. The rule that makes a view is not among them. */
  readonly event: string
}

export interface ForeignKey {
  readonly name: string
  /** The table that refers, and the one referred to. */
  readonly from: Oid
  readonly to: Oid
  /** Names, in the key's order. */
  readonly fromColumns: readonly string[]
  readonly toColumns: readonly string[]
  /** `a` no action, `r` restrict, `c` cascade, `n` set null, `d` set default. */
  readonly onDelete: string
  readonly onUpdate: string
}

export interface View {
  /** As pg_get_viewdef gives it: names are resolved in pg_catalog alone. */
  readonly definition: string
  /** Rights and policies are those of who asks, not of the owner. */
  readonly securityInvoker: boolean
  readonly securityBarrier: boolean
}

export interface Relation {
  readonly oid: Oid
  readonly schema: string
  readonly name: string
  /** `r` table, `p` partitioned table, `v` view, `m` materialized view, `f` foreign table, `S` sequence. */
  readonly kind: string
  /** `p` permanent, `u` unlogged. (Temporary ones are a session's, and not here.) */
  readonly persistence: string
  readonly owner: Oid
  /** Of its rows. */
  readonly rowType: Oid
  readonly columns: readonly Column[]
  /** Names in the key's order; null: there is none. */
  readonly primaryKey: readonly string[] | null
  /** `d` primary key, `i` an index, `f` all columns, `n` nothing. */
  readonly replicaIdentity: string
  /** The columns by which the stream names a row: null if it can't, 'full' if by all. */
  readonly identity: readonly string[] | 'full' | null
  readonly rowSecurity: boolean
  /** Policies hold for the owner, too. */
  readonly rowSecurityForced: boolean
  readonly policies: readonly Policy[]
  readonly parents: readonly Oid[]
  readonly children: readonly Oid[]
  readonly view: View | null
  /** What REFRESH runs for a materialized view; names are resolved in pg_catalog alone. */
  readonly refresh: string | null
  /** Without those that PostgreSQL makes for foreign keys. */
  readonly triggers: readonly Trigger[]
  readonly rules: readonly Rule[]
  /** Functions of users' that its defaults, generated columns and checks call, and WHEN of its triggers. */
  readonly calls: readonly Oid[]
}

export interface Routine {
  readonly oid: Oid
  readonly schema: string
  readonly name: string
  /** `f` function, `a` aggregate, `w` window function, `p` procedure. */
  readonly kind: string
  /** Types of what goes in. */
  readonly arguments: readonly Oid[]
  /** '' where an argument has no name; fewer than `arguments` if none has. */
  readonly argumentNames: readonly string[]
  /** The element's type if the last argument is VARIADIC, else 0. */
  readonly variadic: Oid
  /** How many of the last arguments have defaults. */
  readonly defaults: number
  readonly returns: Oid
  readonly returnsSet: boolean
  /** `i` immutable, `s` stable, `v` volatile. */
  readonly volatility: string
  readonly language: string
  readonly securityDefiner: boolean
  /** Names and types of OUT, INOUT and TABLE arguments, if there are any. */
  readonly outputs: readonly { readonly name: string; readonly type: Oid }[]
  /** As CREATE FUNCTION has it, of users' functions in SQL or PL/pgSQL that may write, and of all trigger functions. */
  readonly definition: string | null
  /** The defaults of its last arguments, as SQL, one behind the other; names are resolved in pg_catalog alone. */
  readonly defaultValues: string | null
  /** Functions of users' that the defaults of its arguments call. */
  readonly defaultsCall: readonly Oid[]
  /** What it sets search_path to while it runs, as written there. */
  readonly searchPath: string | null
}

export interface Aggregate {
  /** The functions that make it: transition, final, and those of its moving form. */
  readonly functions: readonly Oid[]
}

export interface Operator {
  readonly oid: Oid
  readonly schema: string
  readonly name: string
  /** 0: a prefix operator. */
  readonly left: Oid
  readonly right: Oid
  readonly result: Oid
  readonly function: Oid
}

export interface Cast {
  readonly source: Oid
  readonly target: Oid
  /** 0 if there is none: the bytes are the same, or it goes by way of text. */
  readonly function: Oid
  /** `i` implicit, `a` in assignments, `e` explicit only. */
  readonly context: string
  /** `f` by the function, `b` the bytes are the same, `i` by way of text. */
  readonly method: string
}

export interface Type {
  readonly oid: Oid
  readonly schema: string
  readonly name: string
  /** `b` base, `c` composite, `d` domain, `e` enum, `p` pseudo, `r` range, `m` multirange. */
  readonly kind: string
  readonly category: string
  readonly preferred: boolean
  /** Of a true array. */
  readonly element: Oid
  readonly array: Oid
  /** Of a domain. */
  readonly base: Oid
  /** Of a composite type. */
  readonly relation: Oid
  readonly input: Oid
  readonly output: Oid
  readonly collation: Oid
  /** Of a range, and of a multirange the range's. */
  readonly subtype: Oid
  /** Range ↔ multirange. */
  readonly counterpart: Oid
  /** CHECK constraints of a domain, as SQL in which VALUE stands for the value. */
  readonly checks: readonly string[]
  /** Fields of a composite type that is no table's. */
  readonly fields: readonly Column[]
}

export interface Role {
  readonly oid: Oid
  readonly name: string
  readonly superuser: boolean
  readonly bypassesRowSecurity: boolean
}

export interface CatalogueRows {
  readonly fingerprint: Fingerprint
  readonly relations: readonly Relation[]
  /** Names of relations in pg_catalog. */
  readonly systemRelations: readonly string[]
  readonly foreignKeys: readonly ForeignKey[]
  readonly routines: readonly Routine[]
  readonly aggregates: ReadonlyMap<Oid, Aggregate>
  readonly operators: readonly Operator[]
  readonly casts: readonly Cast[]
  readonly types: readonly Type[]
  readonly roles: readonly Role[]
  readonly schemas: ReadonlyMap<string, Oid>
  readonly nondeterministicCollations: ReadonlySet<Oid>
  readonly calledAnywhere: readonly Oid[]
}

export class Catalogue {
  /** Changes whenever anything does that is held here, or that a cached answer or a description depends on. */
  readonly fingerprint: Fingerprint
  readonly schemas: ReadonlyMap<string, Oid>
  readonly relations: ReadonlyMap<Oid, Relation>
  readonly foreignKeys: readonly ForeignKey[]
  /** Volatile functions of users' that run where no text names them: of operators, casts and domains. */
  readonly calledAnywhere: readonly Oid[]
  /** Names that triggers' functions have for rows that were changed. */
  readonly transitionTables: ReadonlySet<string>
  readonly #relationNames: ReadonlyMap<string, Relation>
  readonly #systemRelations: ReadonlySet<string>
  readonly #routines: ReadonlyMap<Oid, Routine>
  readonly #routinesByName: ReadonlyMap<string, readonly Routine[]>
  readonly #aggregates: ReadonlyMap<Oid, Aggregate>
  readonly #operatorsByName: ReadonlyMap<string, readonly Operator[]>
  readonly #casts: ReadonlyMap<string, Cast>
  readonly #types: ReadonlyMap<Oid, Type>
  readonly #typeNames: ReadonlyMap<string, Type>
  readonly #roles: ReadonlyMap<string, Role>
  readonly #roleOids: ReadonlyMap<Oid, Role>
  readonly #nondeterministic: ReadonlySet<Oid>

  constructor(rows: CatalogueRows) {
    this.fingerprint = rows.fingerprint
    this.schemas = rows.schemas
    this.relations = by(rows.relations, ({ oid }) => oid)
    this.foreignKeys = rows.foreignKeys
    this.calledAnywhere = rows.calledAnywhere
    this.transitionTables = new Set(
      rows.relations.flatMap(({ triggers }) => triggers.flatMap(({ transitionTables }) => transitionTables)),
    )
    this.#relationNames = by(rows.relations, qualified)
    this.#systemRelations = new Set(rows.systemRelations)
    this.#routines = by(rows.routines, ({ oid }) => oid)
    this.#routinesByName = byName(rows.routines)
    this.#aggregates = rows.aggregates
    this.#operatorsByName = byName(rows.operators)
    this.#casts = by(rows.casts, ({ source, target }) => `${source} ${target}`)
    this.#types = by(rows.types, ({ oid }) => oid)
    this.#typeNames = by(rows.types, qualified)
    this.#roles = by(rows.roles, ({ name }) => name)
    this.#roleOids = by(rows.roles, ({ oid }) => oid)
    this.#nondeterministic = rows.nondeterministicCollations
  }

  relation(oid: Oid): Relation | undefined {
    return this.relations.get(oid)
  }

  relationNamed(schema: string, name: string): Relation | undefined {
    return this.#relationNames.get(`${schema}\0${name}`)
  }

  isSystemRelation(name: string): boolean {
    return this.#systemRelations.has(name)
  }

  /** The tables of which this one's rows are rows, too: parents and theirs, of partitions and of inheritance. */
  ancestors(oid: Oid): ReadonlySet<Oid> {
    return closure(oid, relation => relation.parents, this.relations)
  }

  /** Partitions or inheritance children, and theirs. */
  descendants(oid: Oid): ReadonlySet<Oid> {
    return closure(oid, relation => relation.children, this.relations)
  }

  routine(oid: Oid): Routine | undefined {
    return this.#routines.get(oid)
  }

  routinesNamed(name: string): readonly Routine[] {
    return this.#routinesByName.get(name) ?? []
  }

  aggregate(oid: Oid): Aggregate | undefined {
    return this.#aggregates.get(oid)
  }

  operatorsNamed(name: string): readonly Operator[] {
    return this.#operatorsByName.get(name) ?? []
  }

  cast(source: Oid, target: Oid): Cast | undefined {
    return this.#casts.get(`${source} ${target}`)
  }

  type(oid: Oid): Type | undefined {
    return this.#types.get(oid)
  }

  typeNamed(schema: string, name: string): Type | undefined {
    return this.#typeNames.get(`${schema}\0${name}`)
  }

  role(name: string): Role | undefined {
    return this.#roles.get(name)
  }

  roleOf(oid: Oid): Role | undefined {
    return this.#roleOids.get(oid)
  }

  /** All collations are. */
  get allDeterministic(): boolean {
    return this.#nondeterministic.size === 0
  }

  /** Equal means equal bytes. */
  isDeterministic(collation: Oid): boolean {
    return !this.#nondeterministic.has(collation)
  }
}

const qualified = ({ schema, name }: { schema: string; name: string }) => `${schema}\0${name}`

const by = <Key, Value>(values: readonly Value[], key: (value: Value) => Key): ReadonlyMap<Key, Value> =>
  new Map(values.map(value => [key(value), value]))

function byName<Value extends { readonly name: string }>(
  values: readonly Value[],
): ReadonlyMap<string, readonly Value[]> {
  const groups = new Map<string, Value[]>()
  for (const value of values) {
    const group = groups.get(value.name)
    if (group) group.push(value)
    else groups.set(value.name, [value])
  }
  return groups
}

function closure(
  oid: Oid,
  next: (relation: Relation) => readonly Oid[],
  relations: ReadonlyMap<Oid, Relation>,
): ReadonlySet<Oid> {
  const found = new Set<Oid>()
  const open = [oid]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const relation = relations.get(at)
    if (!relation) continue
    for (const further of next(relation))
      if (!found.has(further)) {
        found.add(further)
        open.push(further)
      }
  }
  return found
}
