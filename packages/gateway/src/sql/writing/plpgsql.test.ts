import { beforeAll, describe, expect, test } from 'vitest'
import { Parser } from '../parser.ts'
import { readBody } from './plpgsql.ts'

let parser: Parser
beforeAll(async () => {
  parser = await Parser.load()
})

function bodyOf(body: string, { returns = 'trigger', takes = '' } = {}) {
  const tree = parser.parsePlpgsql(
    `CREATE FUNCTION f(${takes}) RETURNS ${returns} LANGUAGE plpgsql AS $body$ ${body} $body$`,
  )
  if (!tree) throw new Error(`not PL/pgSQL: ${body}`)
  return readBody(tree)
}

const textsOf = (body: string, as?: { returns?: string; takes?: string }) =>
  bodyOf(body, as).texts.map(text => text.trim().replaceAll(/\s+/g, ' '))

describe('the SQL of a body', () => {
  test.each([
    ['begin new.a := f(1); return new; end', ['SELECT f(1)']],
    ['begin new.a[1] = f(1); return new; end', ['SELECT f(1)']],
    ['begin new."a=b" := f(1); return new; end', ['SELECT f(1)']],
    ['declare x int default f(); begin return new; end', ['SELECT f()']],
    ['begin perform f(new.a); return null; end', ['SELECT f(new.a)']],
    ["begin raise notice '%', f() using errcode = g(); return null; end", ['SELECT f()', 'SELECT g()']],
    ['begin assert f(), g(); return null; end', ['SELECT f()', 'SELECT g()']],
    [
      'begin if f() then null; elsif g() then delete from t; else insert into u values (1); end if; return null; end',
      ['SELECT f()', 'SELECT g()', 'delete from t', 'insert into u values (1)'],
    ],
    ['begin while f() loop exit when g(); end loop; return null; end', ['SELECT f()', 'SELECT g()']],
    [
      'begin for i in f()..g() by h() loop null; end loop; return null; end',
      ['SELECT f()', 'SELECT g()', 'SELECT h()'],
    ],
    [
      'declare r record; begin for r in delete from t returning * loop null; end loop; return null; end',
      ['delete from t returning *'],
    ],
    ['declare x int; begin foreach x in array f() loop null; end loop; return null; end', ['SELECT f()']],
    ['declare c cursor for select f(); begin open c; close c; return null; end', ['select f()']],
    [
      'declare x int; begin update t set a = 1 returning a into x; return null; end',
      ['update t set a = 1 returning a'],
    ],
    [
      'begin begin delete from t; exception when others then delete from u; end; return null; end',
      ['delete from t', 'delete from u'],
    ],
  ])('%s', (body, texts) => {
    expect(textsOf(body)).toEqual(expect.arrayContaining(texts))
    expect(bodyOf(body).unseen).toBeNull()
  })

  test('of a function with a name for its argument', () => {
    const { texts, unseen } = bodyOf('declare a alias for $1; begin return f(a); end', {
      returns: 'int',
      takes: 'int',
    })
    expect([texts, unseen]).toEqual([['SELECT f(a)'], null])
  })

  test('of a function that returns rows', () => {
    const body =
      'begin return query select f(); return query delete from t returning 1; return next g(a); end'
    expect(textsOf(body, { returns: 'setof int', takes: 'a int' })).toEqual([
      'select f()',
      'delete from t returning 1',
      'SELECT g(a)',
    ])
  })
})

describe('what is not seen', () => {
  test.each([
    ["begin execute 'delete from t'; return null; end", 'EXECUTE'],
    ["declare r record; begin for r in execute 'x' loop null; end loop; return null; end", 'EXECUTE'],
    ["declare c refcursor; begin open c for execute 'x'; return null; end", 'EXECUTE'],
    ['begin call p(); return null; end', 'CALL'],
    ['begin commit; return null; end', 'COMMIT'],
    ['begin new.a[f(1) = 2] := 1; return new; end', 'an assignment that is not understood'],
  ])('%s: %s', (body, unseen) => {
    expect(bodyOf(body).unseen).toBe(unseen)
  })

  test('a query that is put together, in RETURN QUERY', () => {
    expect(bodyOf("begin return query execute 'x'; end", { returns: 'setof int' }).unseen).toBe('EXECUTE')
  })
})

describe('the columns that a trigger changes', () => {
  test.each([
    ['begin new.a := 1; new.b := new.c; return new; end', ['a', 'b']],
    ['begin if new.a > old.b then return null; end if; return old; end', []],
    ['begin old.a := 1; return new; end', []],
    ['begin select 1, 2 into new.a, new.b; return new; end', ['a', 'b']],
    ['begin get diagnostics new.a = row_count; return new; end', ['a']],
    ['declare n alias for new; begin n.a := 1; return n; end', ['a']],
  ])('%s: %j', (body, columns) => {
    expect([...bodyOf(body).assigns].sort()).toEqual(columns)
  })

  test.each([
    'begin new := f(new); return new; end',
    'begin select * into new from t; return new; end',
    'declare r record; begin r := new; return r; end',
    'begin return row(1, 2); end',
    'declare n alias for new; begin n := f(n); return new; end',
  ])('%s: any', body => {
    expect(bodyOf(body).assigns).toBe('any')
  })
})
