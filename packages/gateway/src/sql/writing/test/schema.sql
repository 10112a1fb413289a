-- What the writes of judge.test.ts write to: everything that can make of one change another.
create extension "uuid-ossp";
create extension citext;
create extension dblink;
create schema app;
-- Its = finds everything equal.
create schema evil;
create function evil.same(int, int) returns boolean language sql immutable as 'select true';
create operator evil.= (leftarg = int, rightarg = int, function = evil.same);

create table users (
  id int primary key,
  name text not null default 'nobody',
  email text,
  touched timestamptz default now()
);
create table posts (
  id bigserial primary key,
  user_id int references users on delete cascade on update cascade,
  title text,
  slug text generated always as (lower(title)) stored
);
create table comments (
  id uuid primary key default gen_random_uuid(),
  post_id bigint references posts on delete cascade,
  editor int references users on delete set null,
  body text
);
create table invoices (
  id int generated always as identity primary key,
  user_id int not null references users on delete restrict,
  token uuid default uuid_generate_v4()
);
create table tags (post_id bigint references posts (id), name varchar(20), weight int, primary key (post_id, name));
create table settings (key text primary key, value jsonb);
create table keyless (a int, b text);
create index keyless_a on keyless (a);
create table "Odd ""Names" ("Id" int primary key, "user" text);
create table app.users (id int primary key, name text);
create table short (code varchar(3) primary key, n int);
create table loose (code citext primary key, n int);
create table staff (id int primary key, boss int references staff on delete cascade);

-- Triggers.
create table log (id serial primary key, what text, at timestamptz default now());
create function touch() returns trigger language plpgsql as $$
begin
  if new.name is distinct from old.name or tg_op = 'INSERT' then
    new.touched := clock_timestamp();
    raise notice 'touched %', new.name;
  end if;
  return new;
end $$;
create table touched (id int primary key, name text, touched timestamptz);
create trigger touch before insert or update on touched for each row execute function touch();

create function audit() returns trigger language plpgsql as $$
begin
  insert into log (what) values (tg_op || ' ' || coalesce(new.id, old.id));
  return null;
end $$;
create table audited (id int primary key, name text);
create trigger audit after insert or update or delete on audited for each row execute function audit();

create function dynamic() returns trigger language plpgsql as $$
begin
  execute format('insert into %I (what) values (%L)', 'log', tg_op);
  return new;
end $$;
create table dynamically (id int primary key, name text);
create trigger dynamically after insert on dynamically for each row execute function dynamic();
create table disabled (id int primary key, name text);
create trigger disabled after insert on disabled for each row execute function dynamic();
alter table disabled disable trigger disabled;

create function count_rows() returns trigger language plpgsql
  as $$ begin insert into log (what) select count(*)::text from changed_rows; return null; end $$;
create table counted (id int primary key, name text);
create trigger count_rows after update on counted referencing new table as changed_rows
  for each statement execute function count_rows();

create function renumber() returns trigger language plpgsql as $$ begin new.id := new.id + 100; return new; end $$;
create table renumbered (id int primary key, name text);
create trigger renumber before insert or update on renumbered for each row execute function renumber();
create table renumbered_parts (id int references renumbered on update cascade deferrable initially deferred, part int);

create table shifted (id int primary key, name text);
create trigger renumber before insert on shifted for each row execute function renumber();

create function late() returns trigger language plpgsql set search_path = public as $$
begin
  insert into log (what) values ('late');
  return null;
end $$;
create table deferred (id int primary key, name text);
create constraint trigger late after insert on deferred deferrable initially deferred
  for each row execute function late();

create table cascading (id int primary key references audited on delete cascade, note text);
create trigger cascading after delete on cascading for each statement execute function dynamic();

-- Functions.
create function add_tag(post bigint, tag text) returns void language sql
  as $$ insert into tags (post_id, name) values (post, tag) on conflict do nothing $$;
create function atomically(post bigint) returns void language sql
  begin atomic
    delete from tags where post_id = post;
  end;
create function slugify(title text) returns text language sql as $$ select lower(replace(title, ' ', '-')) $$;
create function title_of(u users) returns text language plpgsql as $$
begin
  update users set name = upper(name) where id = u.id;
  return u.name;
end $$;
create function nested(n int) returns int language plpgsql as $$
declare total int := 0; r record;
begin
  for r in select id from posts limit n loop
    perform add_tag(r.id, 'nested');
    total := total + 1;
  end loop;
  return total;
end $$;
create function again(n int) returns int language plpgsql
  as $$ begin if n > 0 then insert into log (what) values ('again'); return again(n - 1); end if; return 0; end $$;
create function anything(statement text) returns void language plpgsql as $$ begin execute statement; end $$;
create function in_app() returns void language plpgsql set search_path = app
  as $$ begin insert into users values (77, 'in app') on conflict do nothing; end $$;
create function whose_path() returns void language plpgsql set search_path = "$user", public
  as $$ begin delete from tags; end $$;
create function elsewhere() returns void language plpgsql
  as $$ begin set local search_path = app; delete from users; end $$;
create function plus_log(a int, b int) returns int language sql
  as $$ insert into log (what) values ('plus'); select a + b $$;
create function by_default(n int default plus_log(1, 2)) returns int language sql immutable as $$ select n $$;
create function looks(n int) returns bigint language sql stable as $$ select count(*) from posts where id < n $$;
create aggregate joined (text) (sfunc = textcat, stype = text);
create table defaulted (id int primary key, slug text default slugify('A B'), n int default plus_log(1, 2));
create procedure proceed() language plpgsql as $$ begin insert into log (what) values ('p'); commit; end $$;

-- Views and rules.
create view adults as select id, name from users where id >= 18;
create view titles as select p.title, u.name from posts p join users u on u.id = p.user_id;
create view logging as select id, plus_log(id, 1) as n from users;
create view numbered as select id, name from users;
alter view numbered alter name set default plus_log(1, 2)::text;
create view instead as select id, name from users;
create function instead() returns trigger language plpgsql
  as $$ begin insert into audited values (new.id, new.name); return new; end $$;
create trigger instead instead of insert on instead for each row execute function instead();
create table ruled (id int primary key, name text);
create rule ruled as on delete to ruled do also delete from keyless;
create materialized view totals as select count(*) as n from posts;

-- Partitions and inheritance.
create table events (id int, day int, what text, primary key (id, day)) partition by range (day);
create table events_1 partition of events for values from (0) to (10);
create table events_2 partition of events for values from (10) to (20) partition by range (day);
create table events_2a partition of events_2 for values from (10) to (15);
create table events_2b partition of events_2 for values from (15) to (20);
create trigger audit after delete on events_1 for each row execute function audit();
create table places (id int primary key, name text);
create table capitals (country text) inherits (places);

-- Row security.
create table secured (id int primary key, owner text);
alter table secured enable row level security;
alter table secured force row level security;
create policy mine on secured using (again(id) = 0) with check (true);

-- Of unlogged and foreign tables nothing is told by the stream.
create unlogged table unlogged (id int primary key);
create extension file_fdw;
create server files foreign data wrapper file_fdw;
create foreign table foreign_rows (a text) server files options (filename '/dev/null');
create table partly (a int) partition by range (a);
create table partly_here partition of partly for values from (0) to (10);
create foreign table partly_there partition of partly for values from (10) to (20)
  server files options (filename '/dev/null');

insert into users select n, 'user ' || n, n || '@example.com' from generate_series(1, 30) n;
insert into users values (77, 'seven', null);
insert into posts (user_id, title) select n, 'Title ' || n from generate_series(1, 20) n;
insert into comments (post_id, editor, body) select n, n + 1, 'x' from generate_series(1, 19) n;
insert into invoices (user_id) values (30);
insert into tags values (20, 'a', 1), (19, 'b', 2);
insert into settings values ('theme', '"dark"');
insert into keyless values (1, 'one'), (2, 'two');
insert into "Odd ""Names" values (1, 'x');
insert into app.users values (1, 'app');
insert into short values ('abc', 1);
insert into loose values ('abc', 1);
insert into touched values (1, 'a', null);
insert into audited values (1, 'a'), (2, 'b');
insert into counted values (1, 'a');
insert into cascading values (1, 'x'), (2, 'y');
insert into renumbered values (1, 'a');
insert into renumbered_parts values (101, 1);
insert into shifted values (1, 'a');
insert into staff values (1, null), (2, 1), (3, 2);
insert into ruled values (1, 'a');
insert into events values (1, 1, 'a'), (2, 11, 'b'), (3, 16, 'c');
insert into places values (1, 'village');
insert into capitals values (2, 'Bern', 'CH');
refresh materialized view totals;
