import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { Parser } from '../parser.ts'
import { Shape } from '../shape.ts'
import { dressed, statements } from '../test/statements.ts'
import { sqlOfShape } from './shape-sql.ts'

let parser: Parser
beforeAll(async () => {
  parser = await Parser.load()
})

const shape = new Shape(10_000)

function unfolded(text: string): string {
  const bytes = new TextEncoder().encode(text)
  shape.read(bytes, 0, bytes.length)
  return sqlOfShape(shape)
}

test.each([
  ["INSERT INTO t (a, b) VALUES (1, 'it''s'), (2, $$x$$)", "insert into t(a,b)values(0,'')"],
  [`DELETE FROM "it's" WHERE a IN (1, 2, 3) AND b = E'\\''`, `delete from "it's" where a in(0)and b = ''`],
  ["SELECT B'01', N'a', $1", "select b'',n'',$1"],
])('%s becomes %s', (text, sql) => {
  expect(unfolded(text)).toBe(sql)
})

/** Kinds of nodes and names in the order in which they stand, without what is a literal's or a place's. */
function structureOf(node: unknown): unknown {
  if (typeof node !== 'object' || node === null) return node
  if ('A_Const' in node) return 'A_Const'
  // The text of DO, an option of COPY.
  if ('DefElem' in node) return 'DefElem'
  const entries = Object.entries(node).filter(([name]) => !/location|stmt_len|list_start|list_end/.test(name))
  return Array.isArray(node)
    ? [...new Set(node.map(structureOf).map(item => JSON.stringify(item)))]
    : Object.fromEntries(entries.map(([name, child]) => [name, structureOf(child)]))
}

test('what a shape says is what its texts say, but for literals and how often they repeat', () => {
  fc.assert(
    fc.property(statements, dressed, (pattern, dress) => {
      const text = dress(pattern)
      const sql = unfolded(text)
      fc.pre(!shape.ambiguous && !/set_config/i.test(text))
      const [tree, again] = [parser.parse(text), parser.parse(sql)]
      fc.pre(tree !== null)
      expect(structureOf(again)).toEqual(structureOf(tree))
    }),
    { numRuns: 500 },
  )
})
