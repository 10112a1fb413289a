import { expect, test } from 'vitest'
import { createDatabase } from '../../../../test/support/postgres.ts'
import { Suspects } from './suspects.ts'
import { unseenBy } from './unseen.ts'

type Rows = (string | null)[][]

/** Suspects whose questions the test answers; `mentions` asks for a statement that mentions a name. */
function asked() {
  const answers: { give(rows: Rows): Promise<void>; fail(error: Error): Promise<void> }[] = []
  let now = 0
  const suspects = new Suspects(
    () =>
      new Promise((resolve, reject) => {
        const then = async (act: () => void) => {
          act()
          await new Promise(setImmediate)
        }
        answers.push({ give: rows => then(() => resolve(rows)), fail: error => then(() => reject(error)) })
      }),
  )
  return {
    ...{ suspects, answers },
    mentions: (name: string, after = 0) => suspects.has({ functions: [], mentions: [name] }, after),
    calls: (name: string) => suspects.has({ functions: [name], mentions: [] }),
    pass: (ms: number) => {
      now += ms
      suspects.tick(now)
    },
  }
}

const harmless: Rows = [['function', 'f', 'f']]

test('until it has been read, all is suspect that has a name', async () => {
  const { suspects, mentions, calls, answers } = asked()
  expect(suspects.has({ functions: [], mentions: [] })).toBe(false)
  expect(mentions('t')).toBe(true)
  await answers[0]!.give([...harmless, ['function', 'g', 't'], ['relation', 'v', 't']])
  expect([mentions('t'), mentions('v'), calls('f'), calls('s.f'), calls('g')]).toEqual([
    ...[false, true, false, false, true],
  ])
})

test('a text whose names can’t be told is suspect only where there is something to mention', async () => {
  const { suspects, answers } = asked()
  const unread = () => suspects.has({ functions: [], mentions: null })
  expect(unread()).toBe(true)
  await answers[0]!.give(harmless)
  expect(unread()).toBe(false)
  suspects.change('yes')
  unread()
  await answers[1]!.give([['relation', 'v', 't']])
  expect(unread()).toBe(true)
})

test('what is used without being written makes every statement suspect that has a name', async () => {
  const { suspects, mentions, answers } = asked()
  mentions('t')
  await answers[0]!.give([['everything', null, 't']])
  expect(mentions('t')).toBe(true)
  expect(suspects.has({ functions: [], mentions: [] })).toBe(false)
})

test('a function that is not known is suspect, and looked for once', async () => {
  const { calls, mentions, answers } = asked()
  mentions('t')
  await answers[0]!.give(harmless)
  expect(calls('new')).toBe(true)
  expect(calls('new')).toBe(true)
  await answers[1]!.give(harmless)
  expect(calls('new')).toBe(true)
  expect([mentions('t'), answers.length]).toEqual([false, 2])
})

test('a read that began before a change counts for nothing', async () => {
  const { suspects, mentions, answers } = asked()
  mentions('v')
  suspects.change('yes')
  await answers[0]!.give(harmless)
  expect(mentions('v')).toBe(true)
  await answers[1]!.give([['relation', 'v', 't']])
  expect([mentions('v'), mentions('t')]).toEqual([true, false])
})

test('what is perhaps a change is one for who made it, and read by others in a while', async () => {
  const { suspects, mentions, answers, pass } = asked()
  mentions('v')
  await answers[0]!.give(harmless)
  const mine = suspects.change('perhaps')
  expect([mentions('v', mine), mentions('v'), answers.length]).toEqual([true, false, 1])
  pass(1_000)
  mentions('v')
  await answers[1]!.give(harmless)
  expect(mentions('v', mine)).toBe(false)
})

test('a failure leaves what is known, and is tried again', async () => {
  const { mentions, answers, pass } = asked()
  mentions('v')
  await answers[0]!.give([['relation', 'v', 't']])
  pass(60_000)
  mentions('v')
  await answers[1]!.fail(new Error('the connection is lost'))
  expect([mentions('v'), mentions('t'), answers.length]).toEqual([true, false, 2])
  pass(1_000)
  mentions('v')
  expect(answers).toHaveLength(3)
})

test('parameters are names with a dot, and of all that is suspect', async () => {
  const { suspects, answers } = asked()
  const parameters = suspects.parameters()
  await answers[0]!.give([
    ...[...harmless, ['parameter', 'app.user', 't'], ['parameter', "app.user'; drop", 't']],
    ['parameter', 'work_mem', 't'],
  ])
  expect([...(await parameters)!]).toEqual(['app.user'])
})

/** What has been read of a database with such a schema. */
async function readFrom(schema: string) {
  await using database = await createDatabase()
  await database.query(schema)
  // As the gateway's own connection asks, and reads: all as text.
  const query = async (sql: string): Promise<Rows> => {
    const rows = await database.query(`set search_path to pg_catalog; ${sql}`)
    return rows.map(row =>
      Object.values(row).map(value => (value === true ? 't' : value === false ? 'f' : String(value))),
    )
  }
  const suspects = new Suspects(unseenBy(query))
  await suspects.parameters()
  return {
    mentioned: (...names: string[]) =>
      names.filter(name => suspects.has({ functions: [], mentions: [name] })),
    called: (...names: string[]) => names.filter(name => suspects.has({ functions: [name], mentions: [] })),
  }
}

test('an ordinary database has no suspects: triggers that count, notify and keep the time, views, checks', async () => {
  const { mentioned, called } = await readFrom(`
    create domain positive as int check (value > 0);
    create type state as enum ('new', 'done');
    create table parents (id serial primary key, children positive default 1, reset_token text, temperature int);
    create table children (id serial primary key, parent int references parents on delete cascade, at timestamptz,
      state state, attempts int check (attempts > 0), twice int generated always as (attempts * 2) stored);
    create function count_children() returns trigger language plpgsql as $$
      begin
        -- The parent's count is
        update parents as p set children = children + 1, temperature = null where id = new.parent;
        insert into parents (id) values (1) on conflict (id) do update
          set children = excluded.children;
        set local work_mem = '9MB';
        perform pg_notify('children', row_to_json(new)::text);
        return new;
      end $$;
    create function touch() returns trigger language plpgsql as $$ begin new.at = now(); return new; end $$;
    create trigger a before insert or update on children for each row execute function touch();
    create trigger b after insert on children for each row execute function count_children();
    create view listed as select p.*, count(*) over () from parents p join children c on c.parent = p.id;
    create function listed_of(int) returns setof listed language sql as 'select * from listed where id = $1';
    create rule r as on delete to listed do instead nothing;
    alter table parents enable row level security;
    create policy mine on parents using (reset_token = current_setting('app.user', true));
    create extension pg_trgm; create extension hstore`)
  expect(mentioned('parents', 'children', 'listed', 'positive', 'state', '=', '%', '->', 'text')).toEqual([])
  expect(called('touch', 'count_children', 'listed_of', 'similarity', 'set_limit')).toEqual(['set_limit'])
})

test('suspects make others suspect that use them, and nothing else', async () => {
  const { mentioned, called } = await readFrom(`
    create function sets() returns boolean language sql as $$ select set_config('a.b', '', false) = '' $$;
    create function on_insert() returns trigger language plpgsql as $$ begin perform sets(); return new; end $$;
    create table audited (id int primary key, x int);
    create trigger t before insert on audited for each row execute function on_insert();
    create view audited_view as select * from audited;
    create table pointing (id int primary key, audited int references audited);
    create table owned (id int primary key, audited int references audited on delete cascade);
    create table beside (id int);
    create view beside_view as select * from beside;
    create publication both_of_them for table audited, beside;
    create type outline as (x int); create type spot as (x int);
    create function to_spot(outline) returns spot language sql as 'select row(case when sets() then 1 end)::spot';
    create cast (outline as spot) with function to_spot(outline);
    create table outlines (x outline); create table spots (x spot);
    create function of_spots(spots) returns int language sql as 'select 1'`)
  expect(
    mentioned(
      ...['audited', 'audited_view', 'pointing', 'owned', 'beside', 'beside_view'],
      ...['outline', 'outlines', 'spot', 'spots', '='],
    ),
  ).toEqual(['audited', 'audited_view', 'outline', 'outlines'])
  expect(called('sets', 'on_insert', 'to_spot', 'of_spots')).toEqual(['sets', 'on_insert', 'to_spot'])
})
