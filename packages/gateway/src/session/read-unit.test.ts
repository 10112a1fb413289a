import { bind, close, describe as describes, execute, flush, parse, query, sync } from '@sluice/wire'
import { expect, test } from 'vitest'
import { ReadUnit } from './read-unit.ts'

const latin1 = new TextDecoder('latin1')

/** What is found in these messages: kind, text, statement and steps; null if it is left to the server. */
function found(...messages: Uint8Array[]) {
  const bytes = Buffer.concat(messages)
  const unit = new ReadUnit()
  if (!unit.read(bytes, 0, bytes.length)) return null
  const { kind, steps, synced } = unit
  const text = unit.textStart < 0 ? null : latin1.decode(bytes.subarray(unit.textStart, unit.textEnd))
  const name = kind === 'query' ? null : latin1.decode(bytes.subarray(unit.nameStart, unit.nameEnd))
  return { kind, text, name, steps: [...steps], synced }
}

const all = Buffer.from('select 1')

test.each([
  ['a Query', [query('select 1')], { kind: 'query', text: 'select 1', name: null, steps: [], synced: false }],
  [
    "node-postgres's unnamed series",
    [parse('', 'select 1'), bind('', ''), describes('P', ''), execute(), sync()],
    {
      ...{ kind: 'run', text: 'select 1', name: '' },
      ...{ steps: ['parsed', 'bound', 'portal described', 'executed'], synced: true },
    },
  ],
  [
    "postgres.js's statement, known",
    [bind('', 's1'), execute(), sync()],
    { kind: 'run', text: null, name: 's1', steps: ['bound', 'executed'], synced: true },
  ],
  [
    'the same, new and without parameters',
    [parse('s1', 'select 1'), describes('S', 's1'), bind('', 's1'), execute(), sync()],
    {
      ...{ kind: 'run', text: 'select 1', name: 's1' },
      ...{ steps: ['parsed', 'statement described', 'bound', 'executed'], synced: true },
    },
  ],
  [
    'the same, described first',
    [parse('s1', 'select 1'), describes('S', 's1'), flush()],
    {
      ...{ kind: 'prepare', text: 'select 1', name: 's1' },
      ...{ steps: ['parsed', 'statement described'], synced: false },
    },
  ],
  [
    "libpq's prepare",
    [parse('s1', 'select 1'), sync()],
    { kind: 'prepare', text: 'select 1', name: 's1', steps: ['parsed'], synced: true },
  ],
])('%s is found', (_, messages, expected) => {
  expect(found(...messages)).toEqual(expected)
})

test.each([
  ['a limit of rows', [bind('', ''), execute('', 5), sync()]],
  ['two Executes', [bind('', ''), execute(), execute(), sync()]],
  ['two series before one Sync', [bind('', ''), execute(), bind('', ''), execute(), sync()]],
  ['a Close', [bind('', ''), execute(), close('P', ''), sync()]],
  ['an Execute of another portal', [bind('a', ''), execute('b'), sync()]],
  ['a Describe of another portal', [bind('a', ''), describes('P', 'b'), execute('a'), sync()]],
  ['a Bind of another statement', [parse('a', 'select 1'), bind('', 'b'), execute(), sync()]],
  ['a run without its Sync', [bind('', ''), execute(), flush()]],
  ['a Bind alone', [bind('', ''), sync()]],
  ['a Describe alone', [describes('S', 's1'), sync()]],
  ['two Parses', [parse('', 'select 1'), parse('', 'select 2'), sync()]],
  ['a Sync alone', [sync()]],
])('%s is left to the server', (_, messages) => {
  expect(found(...messages)).toBeNull()
})

test('what is not there whole is not found', () => {
  const bytes = Buffer.concat([parse('', 'select $1'), bind('', '', all), execute(), sync()])
  const unit = new ReadUnit()
  for (let end = 0; end < bytes.length - 4; end++) expect(unit.read(bytes, 0, end)).toBe(false)
  expect(unit.read(bytes, 0, bytes.length)).toBe(true)
})

test('values and formats are what stands behind the names', () => {
  const bytes = Buffer.concat([bind('', 's', all), execute(), sync()])
  const unit = new ReadUnit()
  unit.read(bytes, 0, bytes.length)
  const other = bind('', 'another', all)
  expect(bytes.subarray(unit.valuesStart, unit.valuesEnd)).toEqual(Buffer.from(other.subarray(5 + 1 + 8)))
})
