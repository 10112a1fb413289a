import { expect, test } from 'vitest'
import { readRole, roleSql } from './role.ts'

test.each([
  { what: 'the password alone', row: ['SCRAM'], role: { stored: 'SCRAM' } },
  { what: 'the name before it', row: ['al', 'SCRAM'], role: { stored: 'SCRAM' } },
  { what: 'no password', row: [null], role: { stored: null } },
  { what: 'a name and no password', row: ['al', null], role: { stored: null } },
  { what: 'one column', row: ['al'], role: { stored: 'al' } },
  { what: 'one that may not log in', row: ['SCRAM', 'f', 'f'], role: { stored: 'SCRAM', mayLogIn: false } },
  { what: 'one that has expired', row: ['al', 'SCRAM', 't', 't'], role: { stored: 'SCRAM', expired: true } },
])('a row with $what', ({ row, role }) => {
  expect(readRole(row, 'al')).toEqual({ mayLogIn: true, expired: false, ...role })
})

test('a user is asked for by its name, whatever stands in that', () => {
  const source = { query: 'select p from u where n = $1 or m = $1' }
  expect(roleSql(source, "$1 $& o'al")).toBe("select p from u where n = '$1 $& o''al' or m = '$1 $& o''al'")
  expect(roleSql('pg_authid', 'al')).toContain("rolname OPERATOR(pg_catalog.=) 'al'")
})
