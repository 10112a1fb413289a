/** Lists of pitches, one pitch with its view counted, and a new one. */
import { DatabaseManager } from '@sluice/edge'
import { and, desc, eq, inArray, sql } from 'drizzle-orm'
import { type Context, Hono } from 'hono'
import * as z from 'zod'
import { card, listed } from '../db/cards.ts'
import { type Bindings, connection, database } from '../db/connection-manager.ts'
import { type Format, formats, genres, stages, pitches as table, users } from '../db/schema.ts'
import { answer, noSuchPitch, Refusal, unknownUser } from '../http/answer.ts'
import { body, digits, idempotencyKey, money, oneOf, pathId, query, text } from '../http/input.ts'
import { who, whoIfAny } from '../http/who.ts'

export const pitches = new Hono<{ Bindings: Bindings }>()

const upTo100 = digits(1, 100).optional()

const listQuery = z.object({
  format: oneOf(formats).optional(),
  genre: oneOf(genres).optional(),
  page: digits(1, 1_000).optional(),
  limit: upTo100,
})

pitches.get('/pitches', async c => {
  const { format, genre, page = 1, limit = 20 } = query(c, listQuery)
  const db = database(c.env)
  const wanted = and(listed, format && eq(table.format, format), genre && eq(table.genre, genre))
  const rows = await db
    .select({ ...card, total: sql`count(*) over ()`.mapWith(Number) })
    .from(table)
    .innerJoin(users, eq(users.id, table.userId))
    .where(wanted)
    .orderBy(desc(table.publishedAt), desc(table.id))
    .limit(limit)
    .offset((page - 1) * limit)
  // Behind the last page there is no row to carry the total: then, and only then, it takes a second statement.
  const total = rows[0]?.total ?? (page === 1 ? 0 : await db.$count(table, wanted))
  return answer(c, {
    pitches: rows.map(({ total: _, ...pitch }) => pitch),
    page,
    limit,
    total,
    pages: Math.ceil(total / limit),
  })
})

const tabs = {
  all: formats,
  film: ['Film'],
  television: ['Television - Scripted', 'Television - Unscripted'],
  'limited-series': ['Limited Series'],
  shorts: ['Short Film', 'Web Series'],
} satisfies Record<string, readonly Format[]>
const tabNames = Object.keys(tabs) as [keyof typeof tabs, ...(keyof typeof tabs)[]]
const tabQuery = z.object({ tab: oneOf(tabNames).optional(), limit: upTo100 })

/** The start page: newest first, one tab of formats. */
pitches.get('/pitches/public', async c => {
  const { tab = 'all', limit = 20 } = query(c, tabQuery)
  const rows = await database(c.env)
    .select(card)
    .from(table)
    .innerJoin(users, eq(users.id, table.userId))
    .where(and(listed, tab === 'all' ? undefined : inArray(table.format, tabs[tab])))
    .orderBy(desc(table.publishedAt), desc(table.id))
    .limit(limit)
  return answer(c, { tab, pitches: rows })
})

/** Most viewed. No now() in it: Hyperdrive caches only statements whose answer depends on the tables alone. */
pitches.get('/pitches/trending', async c => {
  const { limit = 20 } = query(c, z.object({ limit: upTo100 }))
  const rows = await database(c.env)
    .select(card)
    .from(table)
    .innerJoin(users, eq(users.id, table.userId))
    .where(listed)
    .orderBy(desc(table.viewCount), desc(table.likeCount), table.id)
    .limit(limit)
  return answer(c, { pitches: rows })
})

const address = z.union([z.ipv4(), z.ipv6()])

/** The visitor's address, as Cloudflare tells it; null where it tells none or nonsense. */
const addressOf = (c: Context) => address.safeParse(c.req.header('cf-connecting-ip')).data ?? null

/**
 * One pitch with its creator, and the view counted: `view_count + 1` in the statement that reads, so that no two
 * views can overwrite each other, and one trip for all of it. Owners don't count as their own audience, and whoever
 * sends HEAD has not looked.
 */
pitches.get('/pitches/:id', async c => {
  const id = pathId(c)
  const viewer = whoIfAny(c)
  const referrer = c.req.header('referer')?.slice(0, 500) ?? null
  const [pitch] = await connection(c.env)`
    with viewed as (
      update pitches set view_count = view_count + 1
      where id = ${id} and status = 'published' and visibility <> 'private'
        and user_id is distinct from ${viewer}::int and ${c.req.method === 'GET'}
      returning id, view_count
    ), noted as (
      insert into pitch_views (pitch_id, viewer_id, ip_address, referrer)
      select id, ${viewer}::int, ${addressOf(c)}::inet, ${referrer} from viewed
    ), reader as (
      select exists (
        select from ndas
        where pitch_id = ${id} and signer_id = ${viewer}::int and access_granted
          and (expires_at is null or expires_at >= current_date)
      ) as signed
    )
    select
      p.id, p.title, p.logline, p.description, p.genre, p.format, p.tags, p.status, p.visibility,
      p.short_synopsis as "shortSynopsis",
      case when not p.require_nda and p.visibility = 'public' or signed or p.user_id = ${viewer}::int
        then p.long_synopsis end as "longSynopsis",
      p.require_nda as "requireNda",
      p.budget_range as "budgetRange",
      p.estimated_budget as "estimatedBudget",
      p.production_stage as "productionStage",
      p.seeking_investment as "seekingInvestment",
      p.funding_goal as "fundingGoal",
      p.remaining_amount as "remainingAmount",
      p.minimum_investment as "minimumInvestment",
      coalesce(viewed.view_count, p.view_count) as "viewCount",
      p.like_count as "likeCount",
      p.nda_count as "ndaCount",
      p.additional_media as "additionalMedia",
      p.metadata,
      p.shooting_starts as "shootingStarts",
      p.published_at as "publishedAt",
      json_build_object(
        'id', u.id,
        'name', u.first_name || ' ' || u.last_name,
        'companyName', u.company_name,
        'companyVerified', u.company_verified,
        'profileImageUrl', u.profile_image_url
      ) as creator
    from pitches p
      join users u on u.id = p.user_id
      cross join reader
      left join viewed on viewed.id = p.id
    where p.id = ${id} and (p.status = 'published' and p.visibility <> 'private' or p.user_id = ${viewer}::int)`
  if (pitch === undefined) throw noSuchPitch()
  return answer(c, { pitch })
})

const newPitch = z
  .strictObject({
    title: text(1, 200),
    logline: text(10, 500),
    genre: oneOf(genres),
    format: oneOf(formats),
    description: text(1, 5_000).optional(),
    shortSynopsis: text(1, 5_000).optional(),
    longSynopsis: text(1, 20_000).optional(),
    productionStage: oneOf(stages).default('concept'),
    estimatedBudget: money.optional(),
    fundingGoal: money.optional(),
    minimumInvestment: money.optional(),
    requireNda: z.boolean().default(false),
    status: oneOf(['draft', 'published']).default('published'),
    tags: z.array(text(1, 40)).max(10, 'must have at most 10 entries').default([]),
  })
  .refine(
    ({ fundingGoal, minimumInvestment }) => minimumInvestment === undefined || fundingGoal !== undefined,
    {
      path: ['fundingGoal'],
      message: 'is required with minimumInvestment',
    },
  )
  .refine(
    ({ fundingGoal, minimumInvestment }) =>
      fundingGoal === undefined ||
      minimumInvestment === undefined ||
      Number(minimumInvestment) <= Number(fundingGoal),
    { path: ['minimumInvestment'], message: 'must not be above fundingGoal' },
  )

/** With an Idempotency-Key, a second click gives back the first click's pitch. */
pitches.post('/pitches', async c => {
  const user = who(c)
  const key = idempotencyKey(c)
  const pitch = await body(c, newPitch)
  const { status, fundingGoal = null } = pitch
  const minimum = fundingGoal === null ? null : (pitch.minimumInvestment ?? fundingGoal)
  const made = await DatabaseManager.executeOptimalQuery(
    c.env,
    async sql => {
      const [owner] = await sql<{ userType: string; id: number | null }>`
        with made as (
          insert into pitches (
            user_id, title, logline, genre, format, description, short_synopsis, long_synopsis, production_stage,
            estimated_budget, require_nda, status, tags, seeking_investment, funding_goal, remaining_amount,
            minimum_investment, published_at, idempotency_key
          )
          select
            id, ${pitch.title}, ${pitch.logline}, ${pitch.genre}::genre, ${pitch.format}::pitch_format,
            ${pitch.description ?? null}, ${pitch.shortSynopsis ?? null}, ${pitch.longSynopsis ?? null},
            ${pitch.productionStage}::production_stage, ${pitch.estimatedBudget ?? null}::numeric, ${pitch.requireNda},
            ${status}::pitch_status, ${pitch.tags}::varchar[], ${fundingGoal !== null},
            ${fundingGoal}::numeric, ${fundingGoal}::numeric, ${minimum}::numeric,
            case when ${status} = 'published' then now() end, ${key ?? null}::uuid
          from users
          where id = ${user} and is_active and user_type in ('creator', 'production')
          on conflict (user_id, idempotency_key) where idempotency_key is not null do nothing
          returning id
        )
        select user_type as "userType", made.id
        from users left join made on true
        where users.id = ${user} and is_active`
      if (owner === undefined) throw unknownUser()
      if (owner.id !== null) return { id: owner.id, fresh: true }
      if (owner.userType !== 'creator' && owner.userType !== 'production') {
        throw new Refusal(403, 'only creators and production companies pitch')
      }
      const [earlier] = await sql<{ id: number }>`
        select id from pitches where user_id = ${user} and idempotency_key = ${key}`
      return { id: earlier!.id, fresh: false }
    },
    // The key makes a second run find the first one's pitch; without it a lost answer stays a lost answer.
    { repeatable: key !== undefined },
  )
  return answer(c, { id: made.id, status }, made.fresh ? 201 : 200)
})
