/** What is asked in the measurements of the cache, of a shop's tables. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import type { Load, Protocol } from '../pgbench.ts'

export interface CacheLoad extends Load {
  /** As a table's row is called. */
  readonly name: string
  /** Names of scripts, and how often each is drawn. */
  readonly scripts: Readonly<Partial<Record<ScriptName, number>>>
  /** A second, beside these, to the rows that they read. */
  readonly writes: number
}

type ScriptName = keyof typeof scripts

/** 50 items to a shop. `sales` is as large as makes a sum over twenty days take some 20 ms. */
const schema = `
  create table items (
    id int primary key, shop int not null, title text not null, price numeric(10, 2) not null,
    updated_at timestamptz not null default now()
  );
  create index on items (shop);
  create function touch() returns trigger language plpgsql as
    'begin new.updated_at := now(); return new; end';
  create trigger touched before update on items for each row execute function touch();
  insert into items select i, i % 2000, 'item ' || i, i / 7.0 from generate_series(1, 100000) i;
  create table sales (id int primary key, day int not null, shop int not null, amount numeric(10, 2) not null);
  insert into sales select i, i % 100, i % 20, i / 7.0 from generate_series(1, 200000) i;`

/** The hot set: 1,000 items, 100 shops, 20 sums. */
const scripts = {
  key: `\\set id random(1, 1000)
    select id, title, price, updated_at from items where id = :id;`,
  list: `\\set shop random(1, 100)
    select id, title, price from items where shop = :shop order by id;`,
  sum: `\\set day random(0, 19)
    select shop, count(*), sum(amount) from sales where day between :day and :day + 19 group by shop order by shop;`,
  write: `\\set id random(1, 1000)
    update items set price = price + 1 where id = :id;`,
  // Never the same question twice, of the same rows.
  parameters: `\\set id random(1, 1000)
    \\set other random(1, 2000000000)
    select id, title, price, updated_at from items where id = :id and shop <> :other;`,
  // By the simple protocol pgbench puts its variables into the text, names included.
  shapes: `\\set id random(1, 1000)
    \\set name random(1, 2000000000)
    select id, title, price, updated_at as at_:name from items where id = :id;`,
}

const writesASecond = 200

/** Reads that come again. */
export function hotLoads(protocol: Protocol, clients: readonly number[]): CacheLoad[] {
  const kinds = [
    { name: 'a row by its key', scripts: { key: 1 }, writes: 0 },
    { name: '50 rows', scripts: { list: 1 }, writes: 0 },
    { name: 'a sum of 20 ms', scripts: { sum: 1 }, writes: 0 },
    {
      name: `nine rows to one list, ${writesASecond} writes/s`,
      scripts: { key: 9, list: 1 },
      writes: writesASecond,
    },
  ]
  return kinds.flatMap(kind =>
    clients.map(count => ({ ...kind, name: `${kind.name}, ${count} at a time`, protocol, clients: count })),
  )
}

/** Reads that never come again. */
export const coldLoads = (clients: readonly number[]): CacheLoad[] =>
  clients.flatMap(count => [
    {
      name: `new parameters, ${count} at a time`,
      scripts: { parameters: 1 },
      writes: 0,
      protocol: 'prepared',
      clients: count,
    },
    {
      name: `a new shape, ${count} at a time`,
      scripts: { shapes: 1 },
      writes: 0,
      protocol: 'simple',
      clients: count,
    },
  ])

export async function makeTables(url: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(schema)
  await client.query('vacuum analyze')
  await client.end()
}

export async function writeScripts(folder: string): Promise<void> {
  for (const [name, text] of Object.entries(scripts)) await writeFile(join(folder, name), text)
}

/** Words for pgbench. */
export const reading = (folder: string, { scripts }: CacheLoad): string[] =>
  Object.entries(scripts).map(([name, weight]) => `--file=${join(folder, name)}@${weight}`)

/** Words for pgbench; 0: as many as it can. */
export const writing = (folder: string, aSecond: number): string[] => [
  `--file=${join(folder, 'write')}`,
  ...(aSecond === 0 ? [] : [`--rate=${aSecond}`]),
]
