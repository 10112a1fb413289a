import { expect, test } from 'vitest'
import { readSchemaObjects } from './ddl.ts'

test('what the event trigger says is read, with or without an object', () => {
  expect(readSchemaObjects('[["ALTER TABLE",1259,16385],["GRANT",null,null]]')).toEqual([
    { tag: 'ALTER TABLE', classId: 1259, objectId: 16_385 },
    { tag: 'GRANT', classId: null, objectId: null },
  ])
})

test.each(['', 'x', '{}', 'null', '[1]', '[[1]]', '[["A"'])('%j is not of the event trigger', content => {
  expect(readSchemaObjects(content)).toBeNull()
})
