import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { dataVersion, makeData } from './index.ts'

const tables = [
  'users',
  'pitches',
  'investments',
  'investment_interests',
  'pitch_views',
  'ndas',
  'nda_requests',
  'follows',
  'saved_pitches',
  'notifications',
]

/** All rows of each table as text, hashed in PostgreSQL. */
async function checksums(database: TestDatabase): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const table of tables) {
    const [row] = await database.query(
      `select md5(string_agg(row::text, E'\\n' order by row::text collate "C")) as sum from ${table} row`,
    )
    found[table] = row.sum
  }
  return found
}

/** One figure: the first column of the first row. */
const figure = async (database: TestDatabase, text: string) =>
  Number(Object.values((await database.query(text))[0])[0])

describe('the data set', () => {
  let database: TestDatabase
  const progress: [done: number, total: number][] = []

  beforeAll(async () => {
    database = await createDatabase()
    await makeData(database.url, (...step) => progress.push(step))
  })
  afterAll(() => database.drop())

  test('is the same row for row when it is made again, over a half-made one', async () => {
    const before = await checksums(database)
    await database.query(
      'drop table notifications, ndas; delete from pitch_views where id % 2 = 0; drop type view_type cascade',
    )
    await makeData(database.url, () => {})
    expect(await checksums(database)).toEqual(before)
  })

  test('reports its progress from nothing to all rows', async () => {
    const [, total] = progress[0]!
    expect(progress[0]![0]).toBe(0)
    expect(progress.at(-1)).toEqual([total, total])
    expect(progress.map(([done]) => done)).toEqual(progress.map(([done]) => done).toSorted((a, b) => a - b))
    let rows = 0
    for (const table of tables) rows += await figure(database, `select count(*) from ${table}`)
    expect(total).toBe(rows)
  })

  test('has a version that changes with its sources only', () => {
    expect(dataVersion).toMatch(/^[0-9a-f]{12}$/)
  })

  test('has 100,000 views, the largest table', async () => {
    expect(await figure(database, 'select count(*) from pitch_views')).toBe(100_000)
  })

  test.each([
    [
      'the view_count of a pitch is the number of its page views',
      `from pitches p where view_count <> (select count(*) from pitch_views v where v.pitch_id = p.id and view_type = 'page')`,
    ],
    [
      'what is left of a goal is the goal less the investments',
      `from pitches p where remaining_amount <> funding_goal - (select coalesce(sum(amount), 0) from investments i where i.pitch_id = p.id)`,
    ],
    [
      'nobody invests in what was not offered, or before it was published',
      `from investments i join pitches p on p.id = i.pitch_id where p.funding_goal is null or i.created_at < p.published_at`,
    ],
    [
      'whoever invests is an investor or a production company',
      `from investments i join users u on u.id = i.investor_id where u.user_type not in ('investor', 'production')`,
    ],
    [
      'nda_count is the number of NDAs in force',
      `from pitches p where nda_count <> (select count(*) from ndas n where n.pitch_id = p.id and access_granted)`,
    ],
    [
      'an NDA was asked for before it was signed',
      `from ndas n where not exists (
         select from nda_requests r
         where r.pitch_id = n.pitch_id and r.requester_id = n.signer_id and r.status = 'approved' and r.requested_at <= n.signed_at)`,
    ],
    [
      'nobody views before the pitch was published',
      `from pitch_views v join pitches p on p.id = v.pitch_id where v.viewed_at < p.published_at`,
    ],
    [
      'nobody pitches before they joined',
      `from pitches p join users u on u.id = p.user_id where p.created_at < u.created_at`,
    ],
    ['nothing happens in the future', `from pitch_views where viewed_at > timestamptz '2026-07-01'`],
    [
      'every address is one kept for documentation',
      `from users where not (
         last_login_ip <<= any (array['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32']::inet[]))`,
    ],
    ['no mailbox is a real one', `from users where email not like '%@example.com'`],
    [
      'every logline is one sentence',
      `from pitches where logline !~ '^[[:upper:]0-9].*[^.]\\.$' or logline ~ '\\.\\s'`,
    ],
  ])('%s', async (_, from) => {
    expect(await figure(database, `select count(*) ${from}`)).toBe(0)
  })

  test('attention is spread unevenly: a tenth of the pitches has between a third and two thirds of the views', async () => {
    const share = await figure(
      database,
      `with ranked as (
         select view_count, ntile(10) over (order by view_count desc) as tenth
         from pitches where status = 'published' and visibility <> 'private'
       )
       select sum(view_count) filter (where tenth = 1)::float / sum(view_count) from ranked`,
    )
    expect(share).toBeGreaterThan(0.33)
    expect(share).toBeLessThan(0.67)
  })

  test('the next row gets the next number', async () => {
    const [row] = await database.query(
      `insert into pitches (user_id, title, logline, genre, format) values (1, 'Next', 'A next pitch.', 'Drama', 'Film')
       returning id, (select max(id) from pitches) as last`,
    )
    expect(row.id).toBe(row.last + 1)
  })

  test('a table of the same name that is somebody else’s is left alone', async () => {
    await using another = await createDatabase()
    await another.query(`create table users (name text); insert into users values ('precious')`)
    await expect(makeData(another.url, () => {})).rejects.toThrow(/already has users/)
    expect(await another.query('select name from users')).toEqual([{ name: 'precious' }])
  })

  // What two clicks or many investors can't break.
  test.each([
    [
      'more sold than was offered',
      'update pitches set remaining_amount = -0.01 where id = 1',
      'pitches_funding_check',
    ],
    [
      'more left than the goal',
      'update pitches set remaining_amount = funding_goal + 1 where id = 1',
      'pitches_funding_check',
    ],
    [
      'a goal without an amount that is left',
      'update pitches set remaining_amount = null where id = 1',
      'pitches_funding_check',
    ],
    [
      'an open pitch without a goal',
      `update pitches set funding_goal = null, remaining_amount = null, minimum_investment = null where id = 1`,
      'pitches_funding_check',
    ],
    [
      'one click invested twice',
      `insert into investments (investor_id, pitch_id, amount, idempotency_key)
       select investor_id, pitch_id, amount, idempotency_key from investments limit 1`,
      'investments_idempotency_key',
    ],
    [
      'an investment of nothing',
      `update investments set amount = 0 where id = 1`,
      'investments_amount_check',
    ],
    [
      'a pitch deleted under its investments',
      `delete from pitches where id = (select pitch_id from investments limit 1)`,
      'investments_pitch_fk',
    ],
    [
      'two interests of one investor in one pitch',
      `insert into investment_interests (investor_id, pitch_id) select investor_id, pitch_id from investment_interests limit 1`,
      'investment_interests_once_key',
    ],
    [
      'a pitch saved twice',
      `insert into saved_pitches (user_id, pitch_id) select user_id, pitch_id from saved_pitches limit 1`,
      'saved_pitches_pkey',
    ],
    [
      'a person followed twice',
      `insert into follows (follower_id, following_id) select follower_id, following_id from follows where following_id is not null limit 1`,
      'follows_user_key',
    ],
    ['a follow of nobody', 'insert into follows (follower_id) values (1)', 'follows_target_check'],
    [
      'a follow of oneself',
      'insert into follows (follower_id, following_id) values (1, 1)',
      'follows_self_check',
    ],
    [
      'two open requests for one NDA',
      `insert into nda_requests (pitch_id, requester_id, owner_id) select pitch_id, requester_id, owner_id from nda_requests where status = 'pending' limit 1`,
      'nda_requests_pending_key',
    ],
    [
      'access without a signature',
      `update ndas set access_granted = true, signed_at = null`,
      'ndas_access_check',
    ],
    [
      'a published pitch without a date',
      `update pitches set published_at = null where id = 1`,
      'pitches_published_check',
    ],
    [
      'one mailbox in two spellings',
      `update users set email = upper((select email from users where id = 2)) where id = 1`,
      'users_email_key',
    ],
  ])('refused: %s', async (_, statement, constraint) => {
    await expect(database.query(statement)).rejects.toMatchObject({ constraint })
  })
})
