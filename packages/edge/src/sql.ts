/**
 * The one `sql` of this library: a tagged template on any route and driver.
 *
 * What the tag returns is lazy: awaited, it runs, once; put into another template, it is a fragment of that one;
 * iterated, it is read by a cursor. Values never become text of the statement: they are parameters, always.
 */
import { context, withContext } from './context.ts'
import type { Answer, Field, Statement } from './drivers/driver.ts'
import { badParameter } from './errors.ts'
import type { Executor, QueryOptions, TransactionOptions } from './executor.ts'
import { decoderFor } from './values/decode.ts'
import { encode, Json } from './values/encode.ts'

/** The rows of an answer; what else the answer told is beside them, not enumerable, so that rows compare and print as an array. */
export type Rows<Row> = Row[] & {
  /** The array itself, for code that is used to `result.rows`. */
  readonly rows: Row[]
  /** Rows returned or changed; null where the command counts nothing. */
  readonly rowCount: number | null
  /** SELECT, INSERT, … */
  readonly command: string
  readonly fields: readonly Field[]
}

/** A piece of a statement: texts, and between them values or pieces. */
export class Fragment {
  readonly strings: readonly string[]
  readonly values: readonly unknown[]

  constructor(strings: readonly string[], values: readonly unknown[]) {
    this.strings = strings
    this.values = values
  }
}

/** Text and parameters of a fragment with all that is nested in it. */
function assemble(fragment: Fragment): { text: string; params: (string | null)[] } {
  if (fragment.values.some(value => value instanceof Fragment)) return assembleNested(fragment)
  return { text: plainText(fragment.strings), params: encodeAll(fragment.values) }
}

/** By the array of the template, which is the same at each run of one place in the code. */
const plainTexts = new WeakMap<readonly string[], string>()

function plainText(strings: readonly string[]): string {
  let text = plainTexts.get(strings)
  if (text === undefined) {
    text = strings.reduce((before, string, place) => `${before}$${place}${string}`)
    plainTexts.set(strings, text)
  }
  return text
}

const notAPiece =
  "sql.query(text, params) is no piece of another statement: its $1 would be the other one's. Write it as sql`…`"

function assembleNested(fragment: Fragment): { text: string; params: (string | null)[] } {
  let text = ''
  const params: (string | null)[] = []
  const add = ({ strings, values }: Fragment): void => {
    for (const [place, string] of strings.entries()) {
      text += string
      if (place >= values.length) continue
      const value = values[place]
      if (value instanceof TextQuery) throw new TypeError(notAPiece)
      if (value instanceof Fragment) add(value)
      else {
        params.push(encode(value, params.length + 1))
        text += `$${params.length}`
      }
    }
  }
  add(fragment)
  return { text, params }
}

const encodeAll = (values: readonly unknown[]) => values.map((value, place) => encode(value, place + 1))

/** Encoding errors become the library's own; they never hold the value. */
export function encoded<T>(make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (error instanceof TypeError) throw badParameter(error.message)
    if (error instanceof RangeError) throw badParameter('fragments are nested too deeply')
    throw error
  }
}

export function rowsOf<Row>({ rows, rowCount, command, fields }: Answer): Rows<Row> {
  return Object.defineProperties(rows, {
    rows: { value: rows },
    rowCount: { value: rowCount },
    command: { value: command },
    fields: { value: fields },
    [inspected]: { value: () => [...rows] },
  }) as Rows<Row>
}

/** Bun's console prints what is not enumerable too, unless it is told what to print. */
const inspected = Symbol.for('nodejs.util.inspect.custom')

/** A statement that runs when it is awaited. */
export class Query<Row = Record<string, unknown>>
  extends Fragment
  implements Promise<Rows<Row>>, AsyncIterable<Row>
{
  readonly #executor: Executor
  readonly #options: QueryOptions
  #promise: Promise<Rows<Row>> | undefined

  constructor(
    executor: Executor,
    strings: readonly string[],
    values: readonly unknown[],
    options: QueryOptions = {},
  ) {
    super(strings, values)
    this.#executor = executor
    this.#options = options
  }

  /** The same statement with a signal or a deadline of its own, or `{ fresh: true }`. */
  with(options: QueryOptions): Query<Row> {
    return this.again(this.#executor, { ...this.#options, ...options })
  }

  protected again(executor: Executor, options: QueryOptions): Query<Row> {
    return new Query(executor, this.strings, this.values, options)
  }

  /** What TypeScript asks of a promise, so that a query may stand where one is wanted. */
  get [Symbol.toStringTag](): string {
    return 'Query'
  }

  /** A query is awaited like a promise, and only then runs. */
  then<Result = Rows<Row>, Otherwise = never>(
    onRows?: ((rows: Rows<Row>) => Result | PromiseLike<Result>) | null,
    onError?: ((error: unknown) => Otherwise | PromiseLike<Otherwise>) | null,
  ): Promise<Result | Otherwise> {
    return this.execute().then(onRows, onError)
  }

  catch<Otherwise = never>(
    onError?: ((error: unknown) => Otherwise | PromiseLike<Otherwise>) | null,
  ): Promise<Rows<Row> | Otherwise> {
    return this.execute().catch(onError)
  }

  finally(onEnd?: (() => void) | null): Promise<Rows<Row>> {
    return this.execute().finally(onEnd)
  }

  /** Runs now, without waiting to be awaited. */
  execute(): Promise<Rows<Row>> {
    this.#promise ??= this.#run()
    return this.#promise
  }

  async #run(): Promise<Rows<Row>> {
    return rowsOf(await this.#executor.run(this.#statement(), this.#options))
  }

  #statement(): Statement {
    return { ...encoded(() => this.assembled()), rowMode: 'object', decoderFor }
  }

  protected assembled(): { text: string; params: (string | null)[] } {
    return assemble(this)
  }

  /** Row by row, through a cursor: memory holds one batch, whatever the size of the result. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Row> {
    for await (const batch of this.cursor()) yield* batch
  }

  /**
   * Batch by batch. The cursor lives in a transaction of its own and holds its connection until the loop ends,
   * by `break` and `throw` too.
   */
  async *cursor(batchRows = 100): AsyncGenerator<Row[]> {
    if (!Number.isInteger(batchRows) || batchRows < 1)
      throw badParameter('a cursor reads at least one row at a time')
    const { text, ...rest } = this.#statement()
    const held = await this.#executor.hold({ signal: this.#options.signal })
    const { executor } = held
    // Of a transaction's several cursors each needs its name.
    const name = `sluice_cursor_${++cursors}`
    let failed = false
    try {
      await executor.run({ ...rest, text: `declare ${name} no scroll cursor for ${text}` }, this.#options)
      const fetch: Statement = { ...rest, text: `fetch ${batchRows} from ${name}`, params: [] }
      for (;;) {
        const { rows } = await executor.run(fetch, this.#options)
        if (rows.length > 0) yield rows as Row[]
        if (rows.length < batchRows) break
      }
    } catch (error) {
      failed = true
      throw error
    } finally {
      // By `break` too. A cursor of a failed transaction is gone already.
      if (!failed) await executor.run({ ...rest, params: [], text: `close ${name}` }, {}).catch(() => {})
      // Kept, as if the query had been awaited: a function in it may have written.
      await held.end(!failed)
    }
  }
}

let cursors = 0

/** Text and parameters given apart: the text has its `$1` already. */
class TextQuery<Row> extends Query<Row> {
  readonly #text: string
  readonly #params: readonly unknown[]

  constructor(executor: Executor, text: string, params: readonly unknown[], options: QueryOptions) {
    super(executor, [text], [], options)
    this.#text = text
    this.#params = params
  }

  protected override again(executor: Executor, options: QueryOptions): Query<Row> {
    return new TextQuery(executor, this.#text, this.#params, options)
  }

  protected override assembled() {
    return { text: this.#text, params: encodeAll(this.#params) }
  }
}

export interface Sql {
  /** `` sql<Row>`select … ${value}` ``: values become parameters, nested `sql` pieces become text. */
  <Row = Record<string, unknown>>(strings: TemplateStringsArray, ...values: unknown[]): Query<Row>
  /** A text with `$1`, `$2`, … and its parameters. */
  query<Row = Record<string, unknown>>(
    text: string,
    params?: readonly unknown[],
    options?: QueryOptions,
  ): Query<Row>
  /**
   * Runs `fn` in a transaction on one connection: commits when it returns, rolls back when it throws. On the `tx` that
   * it gets, `tx.transaction` is a savepoint.
   */
  transaction<T>(fn: (tx: Sql) => PromiseLike<T>, options?: TransactionOptions): Promise<T>
  /** A quoted name: `'users'`, or `['public', 'users']`. */
  identifier(name: string | readonly string[]): Fragment
  /** `("a", "b") values ($1, $2), …`, behind `insert into t`. Columns: those given, else those of all rows; a row that lacks one is refused. */
  rows(rows: readonly object[], columns?: readonly string[]): Fragment
  /** `"a" = $1, "b" = $2`, behind `update t set`. */
  set(values: object, columns?: readonly string[]): Fragment
  /** `($1, $2, …)`, behind `in`; at least one value. */
  list(values: readonly unknown[]): Fragment
  /** A value sent as JSON even if it is an array or a string. */
  json(value: unknown): Json
}

const quoted = (name: string): string => {
  if (typeof name !== 'string' || name === '' || name.includes('\0'))
    throw badParameter('an identifier is a text that is not empty')
  return `"${name.replaceAll('"', '""')}"`
}

const text = (value: string) => new Fragment([value], [])

/** Values with the texts between them: `before v0 between v1 between v2 after`. */
function joined(before: string, values: readonly unknown[], between: string, after: string): Fragment {
  const strings = values.map((_, place) => (place === 0 ? before : between))
  return new Fragment([...strings, after], values)
}

const pieces = {
  identifier: (name: string | readonly string[]) => text([name].flat().map(quoted).join('.')),

  rows(
    rows: readonly object[],
    columns: readonly string[] = [...new Set(rows.flatMap(row => Object.keys(row)))],
  ) {
    if (rows.length === 0 || columns.length === 0)
      throw badParameter('sql.rows needs at least one row with one column')
    const tuples = rows.map(row => {
      const record = row as Record<string, unknown>
      return joined(
        '(',
        columns.map(column => record[column]),
        ', ',
        ')',
      )
    })
    return joined(`(${columns.map(quoted).join(', ')}) values `, tuples, ', ', '')
  },

  set(values: object, columns: readonly string[] = Object.keys(values)) {
    if (columns.length === 0) throw badParameter('sql.set needs at least one column')
    const record = values as Record<string, unknown>
    const strings = columns.map((column, place) => `${place === 0 ? '' : ', '}${quoted(column)} = `)
    return new Fragment(
      [...strings, ''],
      columns.map(column => record[column]),
    )
  },

  list(values: readonly unknown[]) {
    // `in ()` is no SQL, and `(null)` in its place would make `not in` true for nothing.
    if (values.length === 0)
      throw badParameter(
        'sql.list of no values: compare with = any(…) and give it the array, which may be empty',
      )
    return joined('(', values, ', ', ')')
  },

  json: (value: unknown) => new Json(value),
}

export function makeSql(executor: Executor): Sql {
  const tag = <Row>(strings: TemplateStringsArray, ...values: unknown[]) => {
    if (!Array.isArray(strings) || !Object.hasOwn(strings, 'raw'))
      throw badParameter('sql is a template tag: write sql`…`, or sql.query(text, params)')
    return new Query<Row>(executor, strings, values)
  }
  return Object.assign(tag, pieces, {
    query: <Row>(text: string, params: readonly unknown[] = [], options: QueryOptions = {}) =>
      new TextQuery<Row>(executor, text, params, options),
    transaction: <T>(fn: (tx: Sql) => PromiseLike<T>, options: TransactionOptions = {}) =>
      inTransaction(executor, inner => fn(makeSql(inner)), options),
  }) as Sql
}

/** Commits when `fn` returns, rolls back when it throws; the error of `fn` is the one that is thrown. */
export async function inTransaction<T>(
  executor: Executor,
  fn: (inner: Executor) => PromiseLike<T>,
  options: TransactionOptions,
): Promise<T> {
  const opened = await executor.begin(options)
  let result: T
  try {
    const { savepoints = [] } = context()
    const within = opened.savepoint ? [...savepoints, opened.savepoint] : savepoints
    result = await withContext({ holding: true, savepoints: within }, async () => fn(opened.executor))
  } catch (error) {
    await opened.end(false).catch(() => {})
    throw error
  }
  await opened.end(true)
  return result
}
