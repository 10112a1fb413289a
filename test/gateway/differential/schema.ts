/** What the programs find: a schema for each client, the same at each beginning. */

/** Whom the clients are; and who may read, or may not even that. */
const roles = 'differential, differential_reader, differential_stranger'

/** Of the whole server, for the run of the test. Few iterations: there are many logins. */
export const makeRoles = `
  set scram_iterations = 1;
  create role differential superuser login password 'differential';
  create role differential_reader;
  create role differential_stranger;`

export const dropRoles = `drop owned by ${roles}; drop role ${roles}`

/** What all clients may read and no program changes. Rows by the role and by a parameter; values by how they are shown. */
export const common = `
  create schema common;
  create table common.fixed (id int primary key, word text);
  insert into common.fixed values (1, 'one'), (2, 'two'), (3, null);
  create table common.guarded (id int primary key, owner name, tenant text);
  insert into common.guarded values (1, 'differential_reader', 'a'), (2, 'differential_stranger', 'b'), (3, null, 'a');
  alter table common.guarded enable row level security;
  create policy own on common.guarded using (owner = current_user or tenant = current_setting('app.tenant', true));
  create table common.kinds (at timestamptz, span interval, bytes bytea, number float8, mark text);
  insert into common.kinds values ('2020-02-03 04:05:06+00', '1 day 2 hours', '\\x41ff', 0.1::float4, 'ä');
  create function common.twice(n int) returns int immutable language sql as $$ select n * 2 $$;
  grant usage on schema common to differential_reader, differential_stranger;
  grant select on common.fixed, common.guarded to differential_reader, differential_stranger;
  grant select on common.kinds to differential_reader;`

/** The rows of a schema whose definitions are as they were: much cheaper than all of it. */
export const freshRows = (client: number): string => {
  const c = `c${client}`
  return `
    truncate ${c}.t, ${c}.u, ${c}.late, ${c}.audited, ${c}.numbered;
    alter sequence ${c}.s restart;
    alter sequence ${c}.numbered_n_seq restart;
    insert into ${c}.t values (1, 'a'), (2, 'b'), (3, null);`
}

export const fresh = (client: number): string => {
  const c = `c${client}`
  return `
    drop schema if exists ${c} cascade;
    create schema ${c};
    create table ${c}.t (id int primary key, v text);
    insert into ${c}.t values (1, 'a'), (2, 'b'), (3, null);
    create table ${c}.u (x int);
    create table ${c}.late (k int unique deferrable initially deferred);
    create view ${c}.view as select id from ${c}.t;
    create sequence ${c}.s;
    create table ${c}.numbered (n serial);
    create function ${c}.double(n int) returns int language sql as $$ select n * 2 $$;
    create function ${c}.noisy(n int) returns int language plpgsql as $$ begin raise notice 'n is %', n; return n; end $$;
    create function ${c}.fails() returns int language plpgsql as $$ begin perform 1/0; return 1; end $$;
    create table ${c}.audited (x int);
    create function ${c}.audit() returns trigger language plpgsql as $$ begin raise warning 'audited %', new.x; return new; end $$;
    create trigger audit after insert on ${c}.audited for each row execute function ${c}.audit();
    create procedure ${c}.commits() language plpgsql as $$ begin insert into ${c}.u values (1); commit; insert into ${c}.u values (2); rollback; end $$;
    grant usage on schema ${c} to differential_reader, differential_stranger;
    grant select on all tables in schema ${c} to differential_reader;`
}
