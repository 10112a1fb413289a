-- What psql can do: the same output is expected from PostgreSQL and from a gateway before it.
\set ON_ERROR_STOP off
\set VERBOSITY verbose
\pset pager off

create schema if not exists of_psql;
set search_path to of_psql;
create table words (id serial primary key, word text not null check (word <> ''), at timestamptz default now());
comment on table words is 'of psql';
create index on words (lower(word));
create view long_words as select * from words where length(word) > 4;
create function shout(word text) returns text language sql as $$ select upper(word) || '; "$1" -- !' $$;
\d words
\d+ long_words
\df+ shout
\dn of_psql
\dt of_psql.*
\ds
\l template1
\sf shout

-- COPY both ways, of the client's data
\copy words (word) from stdin
one
two
three
\.
\copy (select word from words order by id) to stdout
copy words (word) from stdin with (format csv);
"fo,ur"
five
\.
copy (select id, word from words order by id) to stdout with (format csv, header);
\copy words (word, nothing) from stdin
six
\.

-- errors, and what they undo
insert into words (word) values ('');
begin;
insert into words (word) values ('seven');
insert into words (word) values ('');
insert into words (word) values ('eight');
commit;
\set ON_ERROR_ROLLBACK on
begin;
insert into words (word) values ('nine');
insert into words (word) values ('');
insert into words (word) values ('ten');
commit;
\set ON_ERROR_ROLLBACK off
select word from words order by id;
select max(id) from words \gset
\echo :max
select format('select %L as word, shout(%L)', word, word) from words order by id limit 2 \gexec
insert into words (word) values ('eleven') \; select count(*) from words \; select 1 / 0;
select count(*) from words;
begin \; savepoint a \; insert into words (word) values ('twelve') \; rollback to a \; commit and chain;
select count(*) from words;
rollback;

-- large results by a cursor
\set FETCH_COUNT 100
select sum(n) over (order by n) from generate_series(1, 250) n offset 240;
\set FETCH_COUNT 0

-- large objects: libpq calls functions by their number
\lo_import '/dev/null' 'empty'
\set large :LASTOID
select lo_put(:large, 0, 'it is large'::bytea), convert_from(lo_get(:large), 'UTF8');
\lo_export :large '/dev/null'
\lo_unlink :large

-- what belongs to the session
set application_name to 'of psql';
show application_name;
set timezone to 'Asia/Tokyo';
select timestamptz '2026-01-01 00:00Z';
\encoding LATIN1
select 'ä' = U&'\00C3\00A4' as read_as_latin1;
\encoding UTF8
set role pg_monitor;
select current_user;
reset role;
create temp table mine as select 1 as n;
\d mine
prepare by_id (int) as select word from words where id = $1;
execute by_id (1);
execute by_id (3);
deallocate by_id;
execute by_id (1);
select lastval(), currval('words_id_seq');
select pg_advisory_lock(1), pg_try_advisory_lock(1), pg_advisory_unlock(1), pg_advisory_unlock(1), pg_advisory_unlock(1);
begin;
declare held cursor with hold for select id, word from words order by id;
fetch 2 from held;
commit;
fetch 1 from held;
close held;
fetch 1 from held;
do $$ begin raise notice 'noticed'; raise warning 'warned' using hint = 'a hint'; end $$;
discard all;
show application_name;
show search_path;
drop schema of_psql cascade;
