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
