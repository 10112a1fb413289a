/** What the replication stream of a real PostgreSQL tells. */
import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { labOf } from '../../support/invalidation-lab.ts'

describe('what is written is told', () => {
  test('rows by their keys, the old one and the new one', async () => {
    await using at = await labOf(`create table pk (id int primary key, v int)`)
    await at.lab.covers('pk')
    await at.query('insert into pk values (1, 1), (2, 2)')
    expect(await at.lab.told()).toEqual(['pk 1', 'pk 2'])
    await at.query('update pk set v = 3 where id = 1')
    expect(await at.lab.told()).toEqual(['pk 1'])
    await at.query('update pk set id = 7 where id = 1')
    expect(await at.lab.told()).toEqual(['pk 1', 'pk 7'])
    await at.query('delete from pk where id = 7')
    expect(await at.lab.told()).toEqual(['pk 7'])
    await at.query('update pk set v = 1 where id = 100')
    expect(await at.lab.told()).toEqual([])
  })

  test('rows of a key of several columns, in its order', async () => {
    await using at = await labOf(`create table two (a text, b int, c uuid, primary key (c, a))`)
    await at.lab.covers('two')
    await at.query(`insert into two values ('Ä,''', 1, 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11')`)
    expect(await at.lab.told()).toEqual([`two a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,Ä,'`])
  })

  test('old rows in full where that is the identity', async () => {
    await using at =
      await labOf(`create table pk (id int primary key, v int); alter table pk replica identity full;
      create table loose (v int); alter table loose replica identity full`)
    await at.lab.covers('pk', 'loose')
    await at.query('insert into pk values (1, 1); update pk set id = 2; insert into loose values (1)')
    expect(await at.lab.told()).toEqual(['loose any', 'pk 1', 'pk 2'])
  })

  test('the table, where another key is its identity', async () => {
    await using at = await labOf(`create table other (id int primary key, o int not null unique);
      alter table other replica identity using index other_o_key`)
    await at.lab.covers('other')
    await at.query('insert into other values (1, 1); update other set id = 2')
    expect(await at.lab.told()).toEqual(['other any'])
  })

  test('the table, where a commit has more than a thousand rows', async () => {
    await using at = await labOf('create table pk (id int primary key)')
    await at.lab.covers('pk')
    await at.query('insert into pk select generate_series(1, 1000)')
    expect(await at.lab.told()).toHaveLength(1_000)
    await at.query('insert into pk select generate_series(1001, 2001)')
    expect(await at.lab.told()).toEqual(['pk any'])
  })

  test('the table, where its key is too far behind in a large row', async () => {
    await using at = await labOf('create table wide (v text, id int primary key)')
    await at.lab.covers('wide')
    await at.query(`insert into wide values (repeat('x', 2000000), 1)`)
    expect(await at.lab.told()).toEqual(['wide any'])
  })

  test('TRUNCATE, with all that it cascades to', async () => {
    await using at = await labOf(`create table par (id int primary key);
      create table chi (id int primary key, par int references par)`)
    await at.lab.covers('par', 'chi')
    await at.query('truncate par cascade')
    expect(await at.lab.told()).toEqual(['chi any', 'par any'])
  })

  test('a partition, and the tables above it', async () => {
    await using at = await labOf(`create table pr (id int primary key) partition by range (id);
      create table low partition of pr for values from (0) to (100) partition by range (id);
      create table lowest partition of low for values from (0) to (10)`)
    await at.lab.covers('lowest')
    await at.query('insert into pr values (1)')
    expect(await at.lab.told()).toEqual(['low any', 'lowest 1', 'pr any'])
    await at.query('truncate lowest')
    expect(await at.lab.told()).toEqual(['low any', 'lowest any', 'pr any'])
  })

  test('an inheritance child, and its parent', async () => {
    await using at = await labOf(`create table par (id int primary key);
      create table chi (primary key (id)) inherits (par)`)
    await at.lab.covers('par', 'chi')
    await at.query('insert into chi values (1)')
    expect(await at.lab.told()).toEqual(['chi 1', 'par any'])
    await at.query('insert into par values (2)')
    expect(await at.lab.told()).toEqual(['par 2'])
  })

  test('cascades, and what triggers write', async () => {
    await using at = await labOf(`create table par (id int primary key);
      create table chi (id int primary key, par int references par on delete cascade on update cascade);
      create table log (id int primary key);
      create function log() returns trigger language plpgsql as 'begin insert into log values (old.id); return null; end';
      create constraint trigger late after delete on par deferrable initially deferred for each row execute function log();
      insert into par values (1), (2); insert into chi values (10, 1), (20, 2)`)
    await at.lab.covers('par', 'chi', 'log')
    await at.query('delete from par where id = 1')
    expect(await at.lab.told()).toEqual(['chi 10', 'log 1', 'par 1'])
    await at.query('update par set id = 3')
    expect(await at.lab.told()).toEqual(['chi 20', 'par 2', 'par 3'])
  })

  test('COPY, and what a replica writes', async () => {
    await using at = await labOf('create table pk (id int primary key)')
    await at.lab.covers('pk')
    const psql = spawnSync('psql', [at.url, '-c', 'copy pk from stdin'], { input: '1\n2\n' })
    expect(psql.status).toBe(0)
    expect(await at.lab.told()).toEqual(['pk 1', 'pk 2'])
    await at.query('set session_replication_role = replica; delete from pk where id = 2')
    expect(await at.lab.told()).toEqual(['pk 2'])
  })

  test('a prepared transaction at its COMMIT PREPARED, and never if it is rolled back', async () => {
    await using at = await labOf('create table pk (id int primary key)')
    await at.lab.covers('pk')
    const [one, two] = [`${at.name}_1`, `${at.name}_2`]
    await at.query(`begin; insert into pk values (1); prepare transaction '${one}'`)
    await at.query(`begin; insert into pk values (2); prepare transaction '${two}'`)
    expect(await at.lab.told()).toEqual([])
    await at.query(`commit prepared '${one}'`)
    await at.query(`rollback prepared '${two}'`)
    expect(await at.lab.told()).toEqual(['pk 1'])
    await at.lab.running(({ unsettled }) => unsettled === 0)
  })

  test('not what was rolled back, whole or to a savepoint', async () => {
    await using at = await labOf('create table pk (id int primary key)')
    await at.lab.covers('pk')
    await at.query('begin; insert into pk values (1); rollback')
    await at.query(
      'begin; savepoint s; insert into pk values (2); rollback to s; insert into pk values (3); commit',
    )
    expect(await at.lab.told()).toEqual(['pk 3'])
  })
})
