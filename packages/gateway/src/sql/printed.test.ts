import fc from 'fast-check'
import { expect, test } from 'vitest'
import { printed } from './printed.ts'

const print = (text: string) => {
  const bytes = Buffer.from(`..${text}..`)
  return printed(bytes, 2, bytes.length - 2)
}

test.each([
  ['select a from t where b = $1', 'select a from t where b = $1'],
  ["SELECT  a -- why\n FROM t WHERE b = 'x' /* and */", 'SELECT a FROM t WHERE b = ?'],
  ['select 1, 2.5, .5, 1e9, 0xff from t1', 'select ?, … from t1'],
  ["select E'it\\'s', b'01', x'ff', n'a', U&'b'", 'select ?, …'],
  ["select 'a'\n'b', $$c$$, $x$d$x$", 'select ?, …'],
  ['select "a 1" from "S".t', 'select "a 1" from "S".t'],
  ["insert into t values (1, 'a'), (2, 'b')", 'insert into t values (?, …), (?, …)'],
  ['/* sluice: max_age=5 */ select v from t', 'select v from t'],
  ["alter role app password 'secret'", 'alter role app password ?'],
  ["select '\\', 'secret'", 'select …'],
  ["select 'no end", 'select …'],
  ['select é from größe', 'select é from größe'],
])('%s', (text, shown) => {
  expect(print(text)).toBe(shown)
})

test('it is no longer than is read at a glance', () => {
  const shown = print(`select ${'a_column, '.repeat(1_000)}1`)
  expect(shown.length).toBe(500)
  expect(shown.endsWith('…')).toBe(true)
})

test('no value is shown, whatever it holds', () => {
  const quoted = fc
    .string()
    .filter(value => !value.includes('\\'))
    .map(value => `'${value.replaceAll("'", "''")}'`)
  const secret = 'SECRET'
  const literal = fc.oneof(
    fc.tuple(quoted, quoted).map(([before, after]) => `${before.slice(0, -1)}${secret}${after.slice(1)}`),
    fc.string().map(value => `$s$${value.replaceAll('$', '')}${secret}$s$`),
    fc.string().map(value => `e'${value.replace(/[\\']/g, '\\$&')}${secret}'`),
  )
  fc.assert(
    fc.property(fc.array(literal, { minLength: 1 }), literals => {
      expect(print(`select * from t where a in (${literals.join(' , ')})`)).not.toContain(secret)
    }),
  )
})
