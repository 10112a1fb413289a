/** What the statements of this folder read. */
export const schema = `
create type mood as enum ('sad', 'ok', 'happy');
create domain positive as int check (value > 0);
create collation whatever (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

create table users (id int primary key, name text not null, email varchar(100), created_at timestamptz, born date,
  balance numeric(12, 2), tags text[], data jsonb, active bool);
insert into users values
  (1, 'Ann', 'ann@example.com', '2026-01-01 12:00Z', '2000-01-01', 10.50, '{a,b}', '{"a": 1, "list": [{"x": 1}]}', true),
  (7, 'Bob', 'bob@example.com', '2026-02-01 12:00Z', '1990-06-01', 20, '{b}', '{"a": 2}', true),
  (8, 'Cy', null, '2026-03-01 12:00Z', null, 0, null, null, false);
create table posts (id bigint primary key, user_id int references users on delete cascade, title text, published timestamp,
  score float8);
insert into posts values (1, 1, 'first post', '2026-01-02', 1), (2, 7, 'second', '2026-02-02', 2), (3, 7, 'third', null, 3);
create table members (org uuid, uid int, role text, primary key (org, uid));
insert into members values ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 7, 'owner'),
  ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 8, 'guest'), ('b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 7, 'guest');
create table feelings (id int primary key, mood mood, during tstzrange, spent interval);
insert into feelings values (1, 'ok', '[2026-01-01,2026-01-02)', '1 hour'), (2, 'sad', null, '2 hours');

create table names (name text primary key, n int);
insert into names values ('a', 1), ('b', 2);
create table labels (label varchar(20) primary key, n int);
insert into labels values ('a', 1), ('b', 2);
create table codes (code char(5) primary key, n int);
insert into codes values ('a', 1), ('b', 2);
create table folded (name text collate whatever primary key, n int);
insert into folded values ('a', 1), ('b', 2);
create table wholes (id positive primary key, n int);
insert into wholes values (7, 1), (8, 2);
create table smalls (id int2 primary key, n int);
insert into smalls values (7, 1), (8, 2);
create table dated (day date primary key, n int);
insert into dated values ('2026-01-01', 1), ('2026-01-02', 2);

create table by_index (id int primary key, other int not null unique, n int);
alter table by_index replica identity using index by_index_other_key;
insert into by_index values (7, 70, 1), (8, 80, 2);
create table by_all (id int primary key, n int);
alter table by_all replica identity full;
insert into by_all values (7, 1), (8, 2);
create table by_nothing (id int primary key, n int);
alter table by_nothing replica identity nothing;
insert into by_nothing values (7, 1), (8, 2);
create table keyless (id int, n int);
insert into keyless values (7, 1), (8, 2);
create table later (id int primary key deferrable, n int);
insert into later values (7, 1), (8, 2);

create table events (id int, at date, n int, primary key (id, at)) partition by range (at);
create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
insert into events values (1, '2025-05-05', 1), (2, '2026-05-05', 2);
create table animals (id int primary key, name text);
create table dogs (breed text) inherits (animals);
alter table dogs add primary key (id);
insert into animals values (7, 'cat'), (8, 'cow');
insert into dogs values (7, 'rex', 'pug');

create view authors as select u.id, u.name, count(p.id) as posts from users u join posts p on p.user_id = u.id group by 1, 2;
create view adults as select * from users where born < '2008-01-01';
create view adult_authors as select a.name from adults a join authors using (id);
create view of_today as select * from users where created_at > now();
create view of_user as select n from names where name = current_user;
create view of_tenant as select n from names where name = current_setting('app.name');
create view "Odd names" as select 1 as "select", n as "from" from keyless;
create materialized view totals as select count(*) from users;
create sequence counter;

create table notes (id int primary key, tenant text, body text);
alter table notes enable row level security;
create policy of_tenant on notes using (tenant = current_setting('app.tenant', true));
insert into notes values (1, 'x', 'one'), (2, 'y', 'two');
create table teams (name text, member text);
insert into teams values ('red', 'reader'), ('blue', 'other');
create table plans (id int primary key, team text);
alter table plans enable row level security;
create policy of_team on plans using (team in (select t.name from teams t where t.member = current_user));
insert into plans values (1, 'red'), (2, 'blue');
create table offers (id int primary key, ends timestamptz);
alter table offers enable row level security;
create policy until_then on offers using (ends > now());
create table hidden (id int primary key);
alter table hidden enable row level security;
insert into hidden values (1);
create view shown as select * from plans;
create view asked with (security_invoker) as select * from plans;

create function plus_one(int) returns int immutable language sql return $1 + 1;
create function peek() returns bigint stable language sql return (select count(*) from keyless);
create function roll() returns int volatile language sql return 1;
create function same(text) returns text immutable language sql return $1;
create function same(int) returns int volatile language sql return $1;
create function anything_else(int, int) returns bool immutable language sql return $1 <> $2;
create function since(timestamptz, timestamptz default now()) returns interval immutable language sql return $2 - $1;
create function shifted(int, by int default 1) returns int immutable language sql return $1 + by;
create domain recent as timestamptz check (value > now());
create domain short as text check (length(value) < 10);
create schema shadow;
create operator shadow.= (leftarg = int4, rightarg = int4, function = anything_else);
create function shadow.lower(text) returns text volatile language sql return $1;
create table shadow.users (id int primary key, name text);
insert into shadow.users values (7, 'shadow');

grant usage on schema shadow to public;
grant select on all tables in schema public to public;
grant select on all tables in schema shadow to public;
`
