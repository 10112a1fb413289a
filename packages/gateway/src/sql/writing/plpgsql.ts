/**
 * What a function in PL/pgSQL runs, read off the tree of its body: the SQL in it, as texts.
 *
 *     NEW.updated_at := now();                          SELECT now()
 *     IF NEW.a > limit_of(NEW.b) THEN RAISE …    ──▶    SELECT NEW.a > limit_of(NEW.b)
 *     INSERT INTO log VALUES (NEW.a);                   INSERT INTO log VALUES (NEW.a)
 *     EXECUTE 'DELETE FROM ' || t;                      unseen
 *
 * A variable looks like a column in these texts, so they are good for one thing: to see what they write and call. A kind
 * of statement that is not known here counts as one whose SQL is not seen.
 * Source: plpgsql.h and pl_funcs.c of PostgreSQL; the JSON is libpg_query's, which leaves out what is 0 or false.
 */

/** What a body runs. */
export interface Body {
  readonly texts: readonly string[]
  /** What of it can't be seen, as the end of a sentence: "… runs EXECUTE". */
  readonly unseen: string | null
  /** Fields of NEW that a trigger may leave changed; `any` if that can't be told. */
  readonly assigns: ReadonlySet<string> | 'any'
}

/** How the text of an expression is to be read: RAW_PARSE_… of parser.h. */
const parseStatement = 0
const parseExpression = 2
const parseAssignments: readonly unknown[] = [3, 4, 5]

/** Up to the assignment's sign: names, and subscripts that are as simple. */
const assignmentTarget = (() => {
  const name = /(?:"(?:[^"]|"")*"|[^\s"'.:=,;()[\]]+)/.source
  return new RegExp(`^${name}(?:\\s*\\.\\s*${name})*\\s*(?:\\[[\\w$\\s]*\\]\\s*)*:?=`)
})()

/** Statements and parts of them; all that they hold is looked at. */
const seen = new Set(
  `PLpgSQL_function PLpgSQL_var PLpgSQL_alias PLpgSQL_rec PLpgSQL_row PLpgSQL_recfield PLpgSQL_type PLpgSQL_expr PLpgSQL_diag_item
  PLpgSQL_case_when PLpgSQL_if_elsif PLpgSQL_exception_block PLpgSQL_exception PLpgSQL_condition PLpgSQL_raise_option
  PLpgSQL_stmt_block PLpgSQL_stmt_assign PLpgSQL_stmt_perform PLpgSQL_stmt_getdiag PLpgSQL_stmt_if PLpgSQL_stmt_case
  PLpgSQL_stmt_loop PLpgSQL_stmt_while PLpgSQL_stmt_fori PLpgSQL_stmt_fors PLpgSQL_stmt_forc PLpgSQL_stmt_foreach_a
  PLpgSQL_stmt_exit PLpgSQL_stmt_return PLpgSQL_stmt_return_next PLpgSQL_stmt_return_query PLpgSQL_stmt_raise
  PLpgSQL_stmt_assert PLpgSQL_stmt_execsql PLpgSQL_stmt_open PLpgSQL_stmt_fetch PLpgSQL_stmt_close`.split(
    /\s+/,
  ),
)

/** Where NEW and OLD stand among a trigger function's variables. */
const newRecord = 0
const oldRecord = 1

type Tree = { readonly [name: string]: unknown }

/** @param tree of one function, as {@link Parser.parsePlpgsql} gives it */
export function readBody(tree: object): Body {
  const reader = new Reader(datumsOf(tree))
  reader.read(tree)
  return reader
}

class Reader implements Body {
  readonly texts: string[] = []
  unseen: string | null = null
  readonly #datums: readonly Tree[]
  readonly #assigned = new Set<string>()
  #assignsAny = false

  constructor(datums: readonly Tree[]) {
    this.#datums = datums
  }

  get assigns(): ReadonlySet<string> | 'any' {
    return this.#assignsAny ? 'any' : this.#assigned
  }

  read(node: object): void {
    for (const [kind, child] of Object.entries(node)) {
      if (typeof child !== 'object' || child === null) continue
      if (kind.startsWith('PLpgSQL_')) this.#node(kind, child as Tree)
      this.read(child)
    }
  }

  #node(kind: string, node: Tree): void {
    if (!seen.has(kind)) this.unseen ??= nameOf(kind)
    switch (kind) {
      case 'PLpgSQL_expr':
        this.#expression(node)
        break
      case 'PLpgSQL_stmt_return_query':
      case 'PLpgSQL_stmt_open':
        if (node.dynquery !== undefined) this.unseen ??= 'EXECUTE'
        break
      case 'PLpgSQL_stmt_assign':
      case 'PLpgSQL_stmt_foreach_a':
        this.#assign(node.varno)
        break
      case 'PLpgSQL_stmt_getdiag':
        for (const { PLpgSQL_diag_item: item } of node.diag_items as { PLpgSQL_diag_item: Tree }[])
          this.#assign(item.target)
        break
      // A row stands where something is put INTO its variables.
      case 'PLpgSQL_row':
        for (const field of (node.fields ?? []) as Tree[]) this.#assign(field.varno)
        break
      case 'PLpgSQL_stmt_execsql':
      case 'PLpgSQL_stmt_fetch':
      case 'PLpgSQL_stmt_fors':
      case 'PLpgSQL_stmt_forc':
        if (isNew((node.target ?? node.var) as Tree | undefined)) this.#assignsAny = true
        break
      case 'PLpgSQL_stmt_return':
        this.#return(node)
    }
  }

  #expression({ query, parseMode = parseStatement }: Tree): void {
    if (typeof query !== 'string') return
    if (parseMode === parseStatement) this.texts.push(query)
    else if (parseMode === parseExpression) this.texts.push(`SELECT ${query}`)
    else if (parseAssignments.includes(parseMode)) {
      const target = assignmentTarget.exec(query)
      if (target) this.texts.push(`SELECT ${query.slice(target[0].length)}`)
      else this.unseen ??= 'an assignment that is not understood'
    } else this.unseen ??= 'an expression that is not understood'
  }

  #assign(datum: unknown = newRecord): void {
    const { PLpgSQL_recfield: field } = this.#datums[Number(datum)] ?? {}
    if (Number(datum) === newRecord) this.#assignsAny = true
    if (field === undefined) return
    const { fieldname, recparentno = newRecord } = field as Tree
    if (recparentno === newRecord) this.#assigned.add(String(fieldname))
  }

  /** What a trigger returns is the row that is written. */
  #return({ expr, retvarno }: Tree): void {
    const text = (expr as { PLpgSQL_expr?: Tree } | undefined)?.PLpgSQL_expr?.query
    const kept =
      text === undefined
        ? retvarno === undefined || retvarno === newRecord || retvarno === oldRecord
        : /^\s*(?:null|new|old)\s*$/i.test(String(text))
    if (!kept) this.#assignsAny = true
  }
}

function datumsOf(tree: object): readonly Tree[] {
  const { plpgsql_funcs: functions = [] } = tree as { plpgsql_funcs?: { PLpgSQL_function?: Tree }[] }
  return (functions[0]?.PLpgSQL_function?.datums ?? []) as readonly Tree[]
}

const isNew = (target: Tree | undefined): boolean =>
  ((target?.PLpgSQL_rec as Tree | undefined)?.refname as string | undefined) === 'new'

/** `PLpgSQL_stmt_dynexecute`, as SQL calls it. */
const nameOf = (kind: string): string =>
  kind.includes('_dyn') ? 'EXECUTE' : kind.replace('PLpgSQL_stmt_', '').toUpperCase()
