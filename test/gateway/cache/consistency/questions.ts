/**
 * What clients of the consistency check ask and write, in which words of the protocol.
 *
 * Each account is read by its key, by a Query, an unnamed statement and a named one; and all of them in a list, through a
 * view and in a sum. Balances move from one account to another, so that their sum stays.
 */
import { bind, describe, execute, parse, query, sync } from '@sluice/wire'

export const accounts = 8
export const balance = 100
/** Of all. */
export const sum = accounts * balance

export const schema = `
  create table accounts (id int primary key, balance int not null, version int not null);
  insert into accounts select id, ${balance}, 1 from generate_series(1, ${accounts}) id;
  create view versions as select id, version from accounts;
  create table markers (n int primary key);
  insert into markers values (0);
  create function touch(account int) returns setof versions language sql volatile as
    'update accounts set version = version + 1 where id = account returning id, version'`

/** What an answer says: of a row, or of all. */
export type Word = { readonly row: number; readonly version: number } | { readonly sum: number }

export interface Question {
  readonly messages: readonly Uint8Array[]
  /** Of the answer's rows, as RawClient writes them down. */
  read(rows: readonly (readonly number[])[]): Word[]
}

const versionsOf = (rows: readonly (readonly number[])[]): Word[] =>
  rows.map(([row, version]) => ({ row: row!, version: version! }))

const everything = 'select id, version, balance from accounts order by id'

/** The same text for all clients: who asks it first fills it for all. */
const byQuery = (id: number): Question => ({
  messages: [query(`select id, version from accounts where id = ${id}`)],
  read: versionsOf,
})

const byUnnamed = (id: number): Question => ({
  messages: [
    parse('', 'select id, version from accounts where id = $1'),
    ...[bind('', '', String(id)), describe('P', ''), execute(), sync()],
  ],
  read: versionsOf,
})

/** Of a statement that each client prepares when it comes. */
const byNamed = (id: number): Question => ({
  messages: [bind('', 'one', String(id)), execute(), sync()],
  read: versionsOf,
})
export const preparing = [parse('one', 'select id, version from accounts where id = $1'), sync()]

const list: Question = {
  messages: [query(everything)],
  read: rows => [...versionsOf(rows), { sum: rows.reduce((total, [, , each]) => total + each!, 0) }],
}

const view: Question = {
  messages: [query('select id, version from versions order by id')],
  read: versionsOf,
}

const total: Question = {
  messages: [query('select sum(balance) from accounts')],
  read: rows => rows.map(([sum]) => ({ sum: sum! })),
}

/** Of one account, in each of the ways. */
export const questionsAbout = (id: number) => [byQuery(id), byUnnamed(id), byNamed(id)] as const
/** Of all of them. */
export const overall = [list, view, total] as const

/** The numbers in the rows among what was heard. */
export const rowsOf = (heard: readonly string[]): number[][] =>
  heard.filter(word => word.startsWith('D(')).map(word => word.slice(2, -1).split(',').map(Number))

/** In the order of ids, lest two of them wait for each other. */
export const move = (from: number, to: number, amount: number): string[] =>
  [
    [from, -amount],
    [to, amount],
  ]
    .sort(([one], [other]) => one! - other!)
    .map(
      ([id, by]) =>
        `update accounts set balance = balance + ${by}, version = version + 1 where id = ${id} returning id, version`,
    )

export const touch = (id: number) => `select * from touch(${id})`

/** By a value, that changes nothing but the version. */
export const touchByValue = (id: number) => [
  parse('', 'update accounts set version = version + 1 where id = $1 returning id, version'),
  ...[bind('', '', String(id)), execute(), sync()],
]
