/**
 * Drizzle on this library's executors.
 *
 * Drizzle's own node-postgres session sends BEGIN, statements and ROLLBACK as separate queries unless its client
 * is a Pool: over stateless handles a rolled-back row would stay. This session's `transaction()` is the library's
 * own, savepoints included. Errors are DatabaseError, not wrapped: Drizzle's wrapper prints the parameters.
 *
 * Not here: the rows of a relation (`with: { … }`). They come as one JSON value, from which Drizzle itself makes
 * what JSON can hold: a numeric loses digits, a JSON string that looks like JSON is parsed, NULL in an int8[] throws.
 */
import { entityKind } from 'drizzle-orm/entity'
import {
  PgDatabase,
  PgDialect,
  PgPreparedQuery,
  type PgQueryResultHKT,
  PgSession,
  PgTransaction,
  type PgTransactionConfig,
  type PreparedQueryConfig,
  type SelectedFieldsOrdered,
} from 'drizzle-orm/pg-core'
import {
  createTableRelationsHelpers,
  type ExtractTablesWithRelations,
  extractTablesRelationalConfig,
  type RelationalSchemaConfig,
  type TablesRelationalConfig,
} from 'drizzle-orm/relations'
import { fillPlaceholders, type Query } from 'drizzle-orm/sql'
import * as drizzleUtils from 'drizzle-orm/utils'
import type { Executor } from './executor.ts'
import { encoded, inTransaction, type Rows, rowsOf } from './sql.ts'
import { type DrizzleColumn, decoderFor, decoderForDrizzle } from './values/decode.ts'
import { encode } from './values/encode.ts'

export interface SluiceQueryResultHKT extends PgQueryResultHKT {
  type: Rows<this['row']>
}

export type Schema = Record<string, unknown>

/** A Drizzle instance with the schema's types. */
export type Drizzle<TSchema extends Schema = Record<string, never>> = PgDatabase<
  SluiceQueryResultHKT,
  TSchema,
  ExtractTablesWithRelations<TSchema>
>

/** Exported by drizzle-orm, but left out of its types. */
const { mapResultRow } = drizzleUtils as unknown as {
  mapResultRow: (fields: SelectedFieldsOrdered, row: unknown[], nullable: unknown) => unknown
}

type Relations = RelationalSchemaConfig<TablesRelationalConfig>
type ResultMapper = (rows: unknown[][]) => unknown

export function makeDrizzle<TSchema extends Schema>(executor: Executor, schema?: TSchema): Drizzle<TSchema> {
  const dialect = new SluiceDialect()
  let relations: Relations | undefined
  if (schema) {
    const { tables, tableNamesMap } = extractTablesRelationalConfig(schema, createTableRelationsHelpers)
    relations = { fullSchema: schema, schema: tables, tableNamesMap }
  }
  const session = new SluiceSession(executor, dialect, relations)
  return new PgDatabase(dialect, session, relations as never) as Drizzle<TSchema>
}

/** A selected field: a column, or SQL whose decoder may be one (`mapWith`), with an alias or without. */
type Field = SelectedFieldsOrdered[number]['field']

/** The column that a field's values are of, as far as there is one. */
function columnOf(field: Field | undefined): DrizzleColumn | undefined {
  const { sql = field } = (field ?? {}) as { sql?: unknown }
  const { decoder = sql } = (sql ?? {}) as { decoder?: unknown }
  return decoder as DrizzleColumn | undefined
}

/** Remembers which fields a relational query selects: Drizzle tells its session only how to read whole rows. */
class SluiceDialect extends PgDialect {
  static override readonly [entityKind] = 'SluiceDialect'
  readonly #ofSql = new WeakMap<object, readonly { field: Field }[]>()
  readonly #ofQuery = new WeakMap<Query, readonly { field: Field }[]>()

  override buildRelationalQueryWithoutPK(config: Parameters<PgDialect['buildRelationalQueryWithoutPK']>[0]) {
    const built = super.buildRelationalQueryWithoutPK(config)
    this.#ofSql.set(built.sql, built.selection as readonly { field: Field }[])
    return built
  }

  override sqlToQuery(...given: Parameters<PgDialect['sqlToQuery']>) {
    const query = super.sqlToQuery(...given)
    const selection = this.#ofSql.get(given[0])
    if (selection) this.#ofQuery.set(query, selection)
    return query
  }

  selectionOf(query: Query): readonly { field: Field }[] | undefined {
    return this.#ofQuery.get(query)
  }
}

class SluicePreparedQuery extends PgPreparedQuery<PreparedQueryConfig> {
  static override readonly [entityKind] = 'SluicePreparedQuery'
  /** Set by Drizzle's query builder: which joined tables may be missing in a row. */
  declare joinsNotNullableMap?: Record<string, boolean>
  readonly #executor: Executor
  readonly #fields: readonly { field: Field }[] | undefined
  readonly #mapper: ResultMapper | undefined

  constructor(
    executor: Executor,
    query: Query,
    fields: readonly { field: Field }[] | undefined,
    mapper: ResultMapper | undefined,
  ) {
    super(query, undefined, undefined)
    this.#executor = executor
    this.#fields = fields
    this.#mapper = mapper
  }

  override async execute(placeholders: Record<string, unknown> = {}): Promise<unknown> {
    const fields = this.#fields
    const mapper = this.#mapper
    if (!fields && !mapper) return this.all(placeholders)
    const { rows } = await this.#executor.run(
      {
        text: this.query.sql,
        params: this.#params(placeholders),
        rowMode: 'array',
        decoderFor: (oid, column) => decoderForDrizzle(oid, columnOf(fields?.[column]?.field)),
      },
      {},
    )
    if (mapper) return mapper(rows as unknown[][])
    return rows.map(row =>
      mapResultRow(fields as SelectedFieldsOrdered, row as unknown[], this.joinsNotNullableMap),
    )
  }

  async all(placeholders: Record<string, unknown> = {}): Promise<Rows<unknown>> {
    const params = this.#params(placeholders)
    return rowsOf(
      await this.#executor.run({ text: this.query.sql, params, rowMode: 'object', decoderFor }, {}),
    )
  }

  #params(placeholders: Record<string, unknown>): (string | null)[] {
    const values = fillPlaceholders(this.query.params, placeholders)
    return encoded(() => values.map((value, place) => encode(value, place + 1)))
  }
}

class SluiceSession extends PgSession<SluiceQueryResultHKT, Schema, TablesRelationalConfig> {
  static override readonly [entityKind] = 'SluiceSession'
  declare protected readonly dialect: SluiceDialect
  readonly #executor: Executor
  readonly #relations: Relations | undefined

  constructor(executor: Executor, dialect: SluiceDialect, relations: Relations | undefined) {
    super(dialect)
    this.#executor = executor
    this.#relations = relations
  }

  // A prepared query's name is not used: every statement is one trip as it is, on any connection.
  override prepareQuery(
    query: Query,
    fields: SelectedFieldsOrdered | undefined,
    _name: string | undefined,
    _arrays: boolean,
    mapper?: ResultMapper,
  ): never {
    return new SluicePreparedQuery(
      this.#executor,
      query,
      fields ?? this.dialect.selectionOf(query),
      mapper,
    ) as never
  }

  override transaction<T>(
    fn: (tx: PgTransaction<SluiceQueryResultHKT, Schema, TablesRelationalConfig>) => Promise<T>,
    config: PgTransactionConfig = {},
  ): Promise<T> {
    const { dialect } = this
    const relations = this.#relations
    return inTransaction(
      this.#executor,
      inner => fn(new SluiceTransaction(dialect, new SluiceSession(inner, dialect, relations), relations)),
      {
        isolation: config.isolationLevel,
        readOnly: config.accessMode === 'read only',
        deferrable: config.deferrable,
      },
    )
  }
}

class SluiceTransaction extends PgTransaction<SluiceQueryResultHKT, Schema, TablesRelationalConfig> {
  static override readonly [entityKind] = 'SluiceTransaction'
  readonly #inner: SluiceSession

  constructor(dialect: PgDialect, session: SluiceSession, relations: Relations | undefined) {
    super(dialect, session, relations)
    this.#inner = session
  }

  override transaction<T>(
    fn: (tx: PgTransaction<SluiceQueryResultHKT, Schema, TablesRelationalConfig>) => Promise<T>,
  ): Promise<T> {
    return this.#inner.transaction(fn)
  }
}
