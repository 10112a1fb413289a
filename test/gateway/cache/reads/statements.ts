/**
 * Statements, what their answers depend on, and a change that has to be noticed.
 *
 * `depends` names tables (`posts`), rows by their keys (`users(7)`), settings that belong to the key (`@app.tenant`), and by `?`
 * that nobody can tell.
 */
export interface Kept {
  readonly sql: string
  readonly parameters?: readonly (string | null)[]
  readonly depends: string
  /** Made by somebody else; null: no change could matter. */
  readonly change: string | null
  readonly as?: As
}

export interface NotKept {
  readonly sql: string
  readonly parameters?: readonly (string | null)[]
  readonly refused: string
  /** What the reason names. */
  readonly why: RegExp
  readonly as?: As
}

export interface As {
  readonly searchPath?: string
  /** A role of no rights but to read; else the owner, who is a superuser. */
  readonly reader?: true
  readonly settings?: Readonly<Record<string, string>>
  /** `cache_stable`. */
  readonly stable?: true
}

type Statement = Kept | NotKept

const kept = (sql: string, depends: string, change: string | null, more: Partial<Kept> = {}): Kept => ({
  sql,
  depends,
  change,
  ...more,
})
const notKept = (sql: string, refused: string, why: RegExp, more: Partial<NotKept> = {}): NotKept => ({
  sql,
  refused,
  why,
  ...more,
})

const renameBob = `update users set name = 'Rob' where id = 7`
const addUser = `insert into users (id, name) values (9, 'Di')`
const addPost = `insert into posts values (9, 1, 'news', '2026-05-05', 9)`
const reader = { reader: true } as const
const org = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'

const reads: readonly Statement[] = [
  kept('select 1', '', null),
  kept(`values (1, 'a'), (2, 'b')`, '', null),
  kept('values (1), (2) order by (select count(*) from users) - column1 limit 1', 'users', null),
  kept('table users', 'users', addUser),
  kept('select * from users', 'users', renameBob),
  kept('select * from "users" order by "name" desc limit 2', 'users', addUser),
  kept('select id from users order by id limit $1 offset $2', 'users', 'delete from users where id = 7', {
    parameters: ['2', '1'],
  }),
  kept('select count(*), sum(balance), max(born), avg(id) from users', 'users', addUser),
  kept(
    'select active, count(*) from users group by active having count(*) > 1',
    'users',
    `update users set active = false`,
  ),
  kept('select active, grouping(active), count(*) from users group by rollup (active)', 'users', addUser),
  kept('select distinct on (user_id) user_id, title from posts order by user_id, id desc', 'posts', addPost),
  kept('select distinct user_id from posts', 'posts', 'insert into posts values (9, 8)'),
  kept('select rank() over (order by score desc), title from posts', 'posts', addPost),
  kept(
    'select lag(score, 1, 0) over w, sum(score) over (w rows between 1 preceding and current row) from posts window w as (order by id)',
    'posts',
    addPost,
  ),
  kept(
    'select percentile_cont(0.5) within group (order by score), count(*) filter (where score > 1) from posts',
    'posts',
    addPost,
  ),
  kept(`select string_agg(name, ', ' order by id), array_agg(id order by id) from users`, 'users', renameBob),
  kept(
    `select json_agg(json_build_object('id', id, 'at', created_at)) from users`,
    'users',
    `update users set created_at = '2020-01-01' where id = 7`,
  ),
  kept('select jsonb_object_agg(id, name), to_jsonb(array_agg(email)) from users', 'users', renameBob),
  kept('select row_to_json(u) from users u where active', 'users', renameBob),
  kept(`select json_object('id': id, 'name': name), json_array(id, name) from users`, 'users', renameBob),
  kept(
    `select data->>'a', data #>> '{list,0,x}', data['a'] from users where data @> '{"a": 1}'`,
    'users',
    `update users set data = '{"a": 1}'`,
  ),
  kept(
    'select id, x.key, x.value from users, jsonb_each_text(data) x',
    'users',
    `update users set data = '{}' where id = 1`,
  ),
  kept(
    'select id, l.x from users cross join lateral jsonb_to_recordset(data->$1) as l (x int)',
    'users',
    `update users set data = null`,
    { parameters: ['list'] },
  ),
  kept(
    'select unnest(tags), cardinality(tags), tags[1], tags[1:2] from users',
    'users',
    `update users set tags = '{z}'`,
  ),
  kept(`select * from users where lower(name) = 'bob' and email ilike '%@example.com'`, 'users', renameBob),
  kept(
    `select id from users where name like 'B%' or name ~ '^C' or name similar to 'A(n)+'`,
    'users',
    renameBob,
  ),
  kept('select id from users where id = any ($1)', 'users', 'delete from users where id = 7', {
    parameters: ['{1,7}'],
  }),
  kept('select id from users where id in (1, 7, 9)', 'users', addUser),
  kept(
    'select id from users where id in ($1, $2) and name not in ($3)',
    'users',
    'delete from users where id = 7',
    { parameters: ['1', '7', 'Z'] },
  ),
  kept(
    'select id from users where id between 2 and 9 and email is not null',
    'users',
    'delete from users where id = 7',
  ),
  kept(
    `select case when active then 'on' else name end, coalesce(email, name), greatest(id, 5), nullif(name, 'Bob') from users`,
    'users',
    renameBob,
  ),
  kept(
    `select title from posts where to_tsvector('english', title) @@ plainto_tsquery('english', $1)`,
    'posts',
    `update posts set title = 'posting'`,
    { parameters: ['post'] },
  ),
  kept(
    `select date_trunc('month', created_at), extract(year from born), to_char(created_at, 'YYYY'), created_at::date from users`,
    'users',
    `update users set created_at = '2020-02-02' where id = 7`,
  ),
  kept(
    `select created_at at time zone 'UTC', created_at + interval '1 hour', born + 1 from users`,
    'users',
    `update users set born = null`,
  ),
  kept(
    `select id from users where created_at >= '2026-02-01' and created_at < $1`,
    'users',
    `update users set created_at = null`,
    { parameters: ['2026-04-01'] },
  ),
  kept(`select id from users where born > date '1995-01-01'`, 'users', `update users set born = null`),
  kept(
    `select * from feelings where mood = 'ok' and during @> '2026-01-01'::timestamptz`,
    'feelings',
    `update feelings set mood = 'sad'`,
  ),
  kept(
    'select sum(spent), max(mood) from feelings',
    'feelings',
    `update feelings set spent = '3 h' where id = 1`,
  ),
  kept(
    `select name || ' <' || email || '> ' || id, format('%s-%s', id, name), concat(id, created_at) from users`,
    'users',
    renameBob,
  ),
  kept(
    'select md5(name), length(name), substring(name from 1 for 2), trim(name), position($1 in name) from users',
    'users',
    renameBob,
    { parameters: ['b'] },
  ),
  kept('select plus_one(id), make_interval(days => id) from users', 'users', addUser),
  kept('select shifted(id), shifted(id, 2), shifted(id, by => 3) from users', 'users', addUser),
  kept(
    `select since(created_at, timestamptz '2026-01-01') from users`,
    'users',
    `update users set created_at = null`,
  ),
  kept('select name::short from users', 'users', renameBob),
  kept('select id from users where data is json', 'users', 'update users set data = null'),
  kept(`select same(name) from users`, 'users', renameBob),
  kept(
    'with recursive t(n) as (values (1) union all select n + 1 from t where n < (select max(id) from users)) select sum(n) from t',
    'users',
    addUser,
  ),
  kept(
    `with old as materialized (select * from users where born < $1) select count(*) from old`,
    'users',
    `update users set born = null`,
    { parameters: ['1995-01-01'] },
  ),
  kept('select n from (select count(*) as n from users) s', 'users', addUser),
  kept(`select * from generate_series(timestamptz '2026-01-01', '2026-01-03', '1 day') d`, '', null),
  kept('select $1::text || $2', '', null, { parameters: ['a', 'b'] }),
  kept('select * from keyless', 'keyless', 'delete from keyless where id = 7'),
  kept('select * from totals', 'totals', `${addUser}; refresh materialized view totals`),
  kept(
    'select id from users union select user_id from posts order by 1',
    'posts users',
    'insert into users (id, name) values (5, $$x$$)',
  ),
  kept('select id from users except select user_id from posts', 'posts users', 'delete from posts'),
  kept(
    '/* pg_sleep(now()) */ select name /* random() */ from users where name <> $$now()$$',
    'users',
    renameBob,
  ),
]

const joins: readonly Statement[] = [
  kept('select u.name, p.title from users u join posts p on p.user_id = u.id', 'posts users', addPost),
  kept(
    'select u.name, p.title from users u left join posts p on p.user_id = u.id',
    'posts users',
    'delete from posts where id = 2',
  ),
  kept('select * from users u full join posts p using (id)', 'posts users', addPost),
  kept('select * from names natural join labels', 'labels names', `update labels set n = 2`),
  kept(
    'select u.name from users u, posts p where p.user_id = u.id and p.score > 1',
    'posts users',
    'update posts set score = 0',
  ),
  kept(
    'select name, (select count(*) from posts p where p.user_id = u.id) from users u',
    'posts users',
    addPost,
  ),
  kept(
    'select name from users where exists (select from posts where user_id = users.id)',
    'posts users',
    'delete from posts',
  ),
  kept(
    'select name from users where (id, name) in (select user_id, $1 from posts)',
    'posts users',
    'delete from posts',
    { parameters: ['Bob'] },
  ),
  kept('select array(select title from posts order by id)', 'posts', addPost),
  kept(
    `select "users"."id", "users_posts"."data" as "posts" from "users" left join lateral (select coalesce(json_agg(json_build_array(
    "users_posts"."id", "users_posts"."title")), '[]'::json) as "data" from "posts" "users_posts" where "users_posts"."user_id" = "users"."id")
    "users_posts" on true where "users"."active" = $1`,
    'posts users',
    addPost,
    { parameters: ['true'] },
  ),
  kept('select * from authors', 'posts users', addPost),
  kept('select count(*) from adults where id > 1', 'users', `update users set born = '2020-01-01'`),
  kept('select * from adult_authors', 'posts users', 'delete from posts'),
  kept('select a.*, b.name from authors a join users b using (id)', 'posts users', renameBob),
  kept('select "from" from "Odd names"', 'keyless', 'update keyless set n = 5'),
  kept('select * from users', 'shadow.users', `update shadow.users set name = 'x'`, {
    as: { searchPath: 'shadow, public' },
  }),
  kept(
    'select s.name, p.name from shadow.users s join public.users p using (id)',
    'shadow.users users',
    renameBob,
  ),
  kept('with users as (select 1 as id) select id from users', '', null),
  kept('select count(*) from events', 'events', `insert into events values (3, '2026-06-06', 3)`),
  kept('select * from events_2025', 'events_2025', 'delete from events'),
  kept('select * from animals', 'animals', `update dogs set name = 'max'`),
  kept('select * from only animals', 'animals', `update only animals set name = 'max'`),
]

const rows: readonly Statement[] = [
  kept('select name from users where id = 7', 'users(7)', renameBob),
  kept('select name from users where id = $1', 'users(7)', renameBob, { parameters: ['7'] }),
  kept('select name from users where 7 = users.id', 'users(7)', renameBob),
  kept(`select name from users where id = '07'`, 'users(7)', renameBob),
  kept(`select name from users where id = ' 7 '`, 'users(7)', renameBob),
  kept('select name from users where id = $1', 'users(7)', renameBob, { parameters: ['+07 '] }),
  kept('select name from users where id = 7.0', 'users(7)', renameBob),
  kept('select name from users where id = 7.5', 'users', null),
  kept('select name from users where id = 0x7', 'users', renameBob),
  kept('select name from users where id = $1::int8', 'users(7)', renameBob, { parameters: ['7'] }),
  kept('select name from users where id = $1::float8', 'users', renameBob, { parameters: ['7'] }),
  kept('select name from users where id = $1', 'users', null, { parameters: [null] }),
  kept('select name from users where id = 6 + 1', 'users', renameBob),
  kept('select name from users where id + 0 = 7', 'users', renameBob),
  kept('select name from users where id = 9', 'users(9)', addUser),
  kept(`select name from users where id = 7 and name <> 'x' and active`, 'users(7)', renameBob),
  kept('select name from users where id = 7 or id = 9', 'users', addUser),
  kept('select name from users where not id = 7', 'users', addUser),
  kept('select name from users where (id = 7) = (active = true)', 'users', renameBob),
  kept('select name from users where id in (7)', 'users', renameBob),
  kept('select name from users where id >= 7 and id <= 7', 'users', renameBob),
  kept('select count(*) from users where id = 7', 'users(7)', 'delete from users where id = 7'),
  kept(
    'select u.name, p.title from users u left join posts p on p.user_id = u.id where u.id = $1',
    'posts users(7)',
    renameBob,
    { parameters: ['7'] },
  ),
  kept(
    'select u.name, p.title from posts p left join users u on p.user_id = u.id and u.id = 7',
    'posts users',
    renameBob,
  ),
  kept(
    'select u.name, p.title from posts p right join users u on p.user_id = u.id where u.id = 7',
    'posts users(7)',
    renameBob,
  ),
  kept(
    'select u.name, p.title from posts p left join users u on p.user_id = u.id where u.id = 7',
    'posts users(7)',
    renameBob,
  ),
  kept(
    'select u.name, p.title from users u join posts p on p.user_id = u.id where u.id = 7 and p.id = 2',
    'posts(2) users(7)',
    `update posts set title = 'x' where id = 2`,
  ),
  kept('select a.name from users a join users b on b.id = a.id where a.id = 7', 'users', renameBob),
  kept('select name, (select count(*) from users) from users where id = 7', 'users', addUser),
  kept('select name from adults where id = 7', 'users', renameBob),
  kept('select name from (select * from users where id = 7) u', 'users(7)', renameBob),
  kept('select title, (select name from users where id = 7) from posts', 'posts users(7)', renameBob),
  kept('select title, (select name from users where id = user_id) from posts', 'posts users', renameBob),
  kept('with u as (select * from users where id = $1) select name from u', 'users(7)', renameBob, {
    parameters: ['7'],
  }),
  kept('select name from users where id = 7 union all select name from names', 'names users(7)', renameBob),
  kept(
    'select role from members where org = $1 and uid = $2',
    `members(${org},7)`,
    `update members set role = 'x'`,
    { parameters: [org, '7'] },
  ),
  kept(
    `select role from members where uid = '07' and org = '{A0EEBC999C0B4EF8BB6D6BB9BD380A11}'`,
    `members(${org},7)`,
    `update members set role = 'x'`,
  ),
  kept('select role from members where uid = 7', 'members', `update members set role = 'x'`),
  kept('select n from names where name = $1', 'names(a)', 'update names set n = 5', { parameters: ['a'] }),
  kept(`select n from names where name = 'a' collate "C"`, 'names', 'update names set n = 5'),
  kept(`select n from names where name = 'a'::varchar`, 'names(a)', 'update names set n = 5'),
  kept(`select n from names where name = 'a '::char(3)`, 'names', null),
  kept(`select n from names where name = 'it''s'`, "names(it's)", `insert into names values ('it''s', 1)`),
  kept(String.raw`select n from names where name = E'\x61'`, 'names', 'update names set n = 5'),
  kept('select n from labels where label = $1', 'labels(a)', 'update labels set n = 5', {
    parameters: ['a'],
  }),
  kept(`select n from codes where code = 'a'`, 'codes', 'update codes set n = 5'),
  kept(`select n from folded where name = 'A'`, 'folded', 'update folded set n = 5'),
  kept('select n from wholes where id = 7', 'wholes', 'update wholes set n = 5'),
  kept('select n from smalls where id = $1', 'smalls(7)', 'update smalls set n = 5', { parameters: ['7'] }),
  kept('select n from smalls where id = 7', 'smalls(7)', 'update smalls set n = 5'),
  kept(`select n from dated where day = '2026-01-01'`, 'dated', 'update dated set n = 5'),
  kept('select n from by_index where id = 7', 'by_index', 'update by_index set n = 5'),
  kept('select n from by_index where other = 70', 'by_index', 'update by_index set n = 5'),
  kept('select n from by_all where id = 7', 'by_all(7)', 'update by_all set n = 5'),
  kept('select n from by_nothing where id = 7', 'by_nothing', 'update by_nothing set n = 5'),
  kept('select n from later where id = 7', 'later', 'update later set n = 5'),
  kept('select n from keyless where id = 7', 'keyless', 'update keyless set n = 5'),
  kept(`select n from events where id = 1 and at = '2025-05-05'`, 'events', 'update events set n = 5'),
  kept('select name from animals where id = 7', 'animals', `update dogs set name = 'max'`),
  kept('select name from dogs where id = 7', 'dogs(7)', `update dogs set name = 'max'`),
  kept('select title from posts where id = 2', 'posts(2)', `update posts set title = 'x'`),
  kept(
    'select title from posts where id = 70000000000',
    'posts(70000000000)',
    'insert into posts values (70000000000)',
  ),
  kept('select name from public.users where id = 7', 'users', addUser, {
    as: { searchPath: 'shadow, pg_catalog, public' },
  }),
  kept('select name from public.users where id = 7', 'users(7)', renameBob, {
    as: { searchPath: 'shadow, public' },
  }),
  kept('select name from users where id operator(pg_catalog.=) 7', 'users(7)', renameBob),
  kept('select name from users where id operator(shadow.=) 7', 'users', addUser),
  kept('select name from users where id is not distinct from 7', 'users', renameBob),
]

const settings: readonly Statement[] = [
  kept('select body from notes', 'notes @app.tenant', `update notes set body = 'z'`, {
    as: { reader: true, settings: { 'app.tenant': 'x' } },
  }),
  kept('select body from notes where id = $1', 'notes(1) @app.tenant', `update notes set body = 'z'`, {
    parameters: ['1'],
    as: { reader: true, settings: { 'app.tenant': 'x' } },
  }),
  kept('select count(*) from users, notes', 'notes users @app.tenant', addUser, {
    as: { reader: true, settings: { 'app.tenant': 'y' } },
  }),
  kept('select body from notes', 'notes', `update notes set body = 'z'`),
  kept('select * from of_tenant', 'names @app.name', 'update names set n = 5', {
    as: { settings: { 'app.name': 'a' } },
  }),
  kept('select * from of_user', 'names', `insert into names values (current_user, 1)`),
  kept('select created_at from users', 'users', `update users set created_at = '2020-01-01' where id = 7`, {
    as: { settings: { TimeZone: 'Asia/Tokyo' } },
  }),
  kept(
    `select count(*) from users where created_at < '2026-02-01 13:00'`,
    'users',
    `update users set created_at = null`,
    { as: { settings: { TimeZone: 'America/New_York' } } },
  ),
  kept(`select to_tsvector(title) from posts`, 'posts', addPost, {
    as: { settings: { default_text_search_config: 'german' } },
  }),
  kept(
    `select id from users where created_at::date = born`,
    'users',
    `update users set born = '2026-01-01'`,
    { as: { settings: { TimeZone: 'UTC' } } },
  ),
  notKept(`select current_setting('app.tenant')`, 'volatile', /current_setting/, {
    as: { settings: { 'app.tenant': 'x' } },
  }),
  notKept(`select * from names where name = current_setting($1)`, 'volatile', /current_setting/, {
    parameters: ['app.tenant'],
    as: { settings: { 'app.tenant': 'x' } },
  }),
  notKept('select current_user, name from users', 'volatile', /CURRENT_USER/),
]

const rights: readonly Statement[] = [
  kept('select id from plans', 'plans teams', `insert into teams values ('blue', 'reader')`, { as: reader }),
  kept('select id from plans where id = 2', 'plans(2) teams', `insert into teams values ('blue', 'reader')`, {
    as: reader,
  }),
  kept('select id from plans', 'plans', 'delete from plans'),
  kept('select * from shown', 'plans', 'delete from plans', { as: reader }),
  kept('select * from asked', 'plans teams', 'delete from teams', { as: reader }),
  kept('select * from asked', 'plans', 'delete from plans'),
  kept('select count(*) from hidden', 'hidden', null, { as: reader }),
  kept('select count(*) from hidden', 'hidden', 'delete from hidden'),
  notKept('select * from offers', 'volatile', /policy until_then of offers.*now/, { as: reader }),
  kept('select count(*) from offers', 'offers', `insert into offers values (1)`),
  notKept('select u.name from users u join offers o using (id)', 'volatile', /until_then/, { as: reader }),
]

const refusals: readonly Statement[] = [
  notKept('select now()', 'volatile', /now\(\) is stable/),
  notKept('select * from users where created_at > current_date - 1', 'volatile', /CURRENT_DATE/),
  notKept(`select * from users where created_at > 'now'`, 'volatile', /literal 1/),
  notKept(`select * from users where born = 'yesterday'`, 'volatile', /literal 1/),
  notKept('select * from users where created_at > $1', 'volatile', /\$1/, { parameters: [' NOW '] }),
  notKept(`select * from users where born = any ('{today,2026-01-01}')`, 'volatile', /literal 1/),
  notKept(`select * from feelings where during && '[2026-01-01,tomorrow)'`, 'volatile', /literal 1/),
  notKept('select name::date from users', 'volatile', /date/),
  notKept(
    `select * from users cross join lateral jsonb_to_record(data) as x (d timestamp)`,
    'volatile',
    /timestamp/,
  ),
  notKept(`select timetz '12:00'`, 'volatile', /timetz/),
  notKept('select since(created_at) from users', 'volatile', /now\(\) is stable/),
  notKept('select created_at::recent from users', 'volatile', /now\(\) is stable/),
  notKept('select age(born) from users', 'volatile', /age\(\) is stable/),
  notKept('select random() from users', 'volatile', /random\(\) is volatile/),
  notKept('select id from users order by random()', 'volatile', /random/),
  notKept('values (1), (2) order by random()', 'volatile', /random/),
  notKept('select gen_random_uuid()', 'volatile', /gen_random_uuid/),
  notKept(`select nextval('counter')`, 'volatile', /nextval/),
  notKept('select * from users where id = roll()', 'volatile', /roll/),
  notKept('select same(id) from users', 'volatile', /same/),
  notKept('select lower(name) from public.users', 'volatile', /lower/, {
    as: { searchPath: 'shadow, pg_catalog, public' },
  }),
  notKept('select peek()', 'volatile', /peek/),
  kept('select peek()', '?', null, { as: { stable: true } }),
  notKept('select now()', 'volatile', /now/, { as: { stable: true } }),
  notKept('select roll()', 'volatile', /roll/, { as: { stable: true } }),
  notKept('select * from of_today', 'volatile', /view of_today.*now/),
  notKept('select pg_backend_pid(), version()', 'volatile', /pg_backend_pid/),
  notKept('select last_value from counter', 'uncacheable', /sequence/),
  notKept(`select 'users'::regclass`, 'uncacheable', /regclass/),
  notKept('select * from pg_class', 'uncacheable', /pg_class/),
  notKept('select * from information_schema.tables', 'uncacheable', /information_schema/),
  notKept('select * from users', 'uncacheable', /users belongs/, {
    as: { searchPath: 'information_schema, public' },
  }),
  notKept('select ctid, * from users', 'uncacheable', /ctid/),
  notKept('select u.xmin from users u', 'uncacheable', /xmin/),
  notKept('select * from users where id = 7 for update', 'uncacheable', /FOR UPDATE/),
  notKept('select * from users tablesample bernoulli (50)', 'uncacheable', /TableSample/),
  notKept('select * into copied from users', 'uncacheable', /INTO/),
  notKept('with gone as (delete from users returning *) select * from gone', 'uncacheable', /gone writes/),
  notKept(`insert into names values ('z', 1) returning *`, 'notaquery', /only SELECT/),
  notKept('explain analyze select 1', 'notaquery', /only SELECT/),
  notKept('show timezone', 'notaquery', /only SELECT/),
  notKept('declare c cursor for select 1', 'notaquery', /only SELECT/),
  notKept('select 1; select 2', 'multiplestatements', /several/),
  notKept('', 'notaquery', /no statement/),
  notKept('selec 1', 'parseerror', /grammar/),
  notKept('select * from nowhere', 'uncacheable', /nowhere/),
]

export const statements: { readonly [kind: string]: readonly Statement[] } = {
  'plain reads': reads,
  'joins and views': joins,
  'one row': rows,
  'settings in the key': settings,
  rights,
  'what is not kept': refusals,
}
