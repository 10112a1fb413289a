import { loadModule, parseSync } from 'libpg-query'
import { beforeAll, expect, test } from 'vitest'
import { leftOut } from './left-out.ts'

beforeAll(() => loadModule())

test.each([
  ['select f(a + 1) from t', 'SelectStmt FuncCall A_Expr RangeVar'],
  ['select 1 union select $1', 'SelectStmt larg rarg ParamRef'],
  ['values (1) order by (select current_date)', 'SelectStmt SelectStmt SQLValueFunction'],
  ['select a, b from t join u using (a) group by a, b order by 1', 'SelectStmt RangeVar RangeVar'],
])('in %s these have to be seen: %s', (sql, expected) => {
  const statement = parseSync(sql).stmts![0]!.stmt!
  const found: string[] = []
  const seen = new Set<object>()
  for (let kind = leftOut(statement, seen); kind !== null; kind = leftOut(statement, seen)) {
    found.push(kind)
    seen.add(first(statement, kind, seen))
  }
  expect(found.sort()).toEqual(expected.split(' ').sort())
})

/** The content of the first node of this kind that was not seen. */
function first(node: object, kind: string, seen: ReadonlySet<object>): object {
  const find = (node: object): object | undefined => {
    for (const [name, child] of Object.entries(node)) {
      if (typeof child !== 'object' || child === null) continue
      if (name === kind && !seen.has(child)) return child
      const within = find(child)
      if (within) return within
    }
    return undefined
  }
  return find(node)!
}
