/**
 * What clients of the consistency check ask and write, in which words of the protocol.
 *
 * Each account is read by its key, by a Query, an unnamed statement and a named one; and all of them in a list, through a
 * view and in a sum. Balances move from one account to another, so that their sum stays. A foreign key carries each
 * version on to a second table. A view has a number in it that grows with each of its definitions: that is the version of
 * row 0.
 */
import { bind, describe, execute, parse, query, sync } from '@sluice/wire'
import { ddlTriggerSql } from '../../../../packages/gateway/src/invalidation/ddl.ts'

export const accounts = 8
export const balance = 100
/** Of all. */
export const sum = accounts * balance

export const schema = `
  create table accounts (id int primary key, balance int not null, version int not null, unique (id, version));
  insert into accounts select id, ${balance}, 1 from generate_series(1, ${accounts}) id;
  create table carried (id int primary key, version int not null,
    foreign key (id, version) references accounts (id, version) on update cascade);
  insert into carried select id, version from accounts;
  create table requests (n int generated always as identity primary key, account int not null);
  create view versions as select id, version from accounts;
  create table markers (n int primary key);
  insert into markers values (0);
  create function touch(account int) returns setof versions language sql volatile as
    'update accounts set version = version + 1 where id = account returning id, version';
  create function touch_somehow(account int) returns setof versions language plpgsql as $$ begin
    return query execute 'update accounts set version = version + 1 where id = $1 returning id, version' using account;
  end $$;
  create function grant_request() returns trigger language plpgsql as
    $$ begin perform touch_somehow(new.account); return null; end $$;
  create trigger grant_request after insert on requests for each row execute function grant_request();
  ${ddlTriggerSql};
  ${define(1)}`

/** The publication has so many of them. */
export const tables = 4

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

const carried: Question = {
  messages: [query('select id, version from carried order by id')],
  read: versionsOf,
}

const carriedOne = (id: number): Question => ({
  messages: [query(`select id, version from carried where id = ${id}`)],
  read: versionsOf,
})

/** Each row says the number of the definition. */
const defined: Question = {
  messages: [query('select id, version, definition from defined order by id')],
  read: rows => [...versionsOf(rows), ...versionsOf(rows.map(([, , definition]) => [0, definition!]))],
}

const total: Question = {
  messages: [query('select sum(balance) from accounts')],
  read: rows => rows.map(([sum]) => ({ sum: sum! })),
}

/** Of one account, in each of the ways; of 0, the definition. */
export const questionsAbout = (id: number): readonly Question[] =>
  id === 0 ? [defined] : [byQuery(id), byUnnamed(id), byNamed(id), carriedOne(id)]
/** Of all of them. */
export const overall = [list, view, carried, defined, total] as const

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

/** What it writes can't be read from it: SQL that is put together. */
export const touchSomehow = (id: number) => `select * from touch_somehow(${id})`

/** A trigger does it. */
export const touchByRequest = (id: number) =>
  `begin; insert into requests (account) values (${id}); select id, version from accounts where id = ${id}; commit`

/** Whoever listens hears which version there is. */
export const channel = 'touched'
export const touchAndNotify = (id: number) =>
  `with touched as (update accounts set version = version + 1 where id = ${id} returning id, version)
    select id, version, pg_notify('${channel}', id || ' ' || version) from touched`

/** Another definition, and rights. */
export function define(definition: number): string {
  return `create or replace view defined as select id, version, ${definition} as definition from accounts;
    grant select on defined to public`
}

/** By a value, that changes nothing but the version. */
export const touchByValue = (id: number) => [
  parse('', 'update accounts set version = version + 1 where id = $1 returning id, version'),
  ...[bind('', '', String(id)), execute(), sync()],
]
