/**
 * Interest and money.
 *
 *     POST /api/investments
 *       BEGIN
 *       insert the investment ─── the key is known ──▶ give back what that click made, change nothing
 *       take the amount off what is left, if enough is ─── no row ──▶ ROLLBACK, and say why
 *       tell the owner (the same statement)
 *       COMMIT
 *
 * Never oversold: `remaining_amount - amount where remaining_amount >= amount` is one statement; investors of one
 * pitch queue up at its row, from this statement to COMMIT, and each sees what the one before left. The CHECK on the
 * column says it once more. Never doubled: a second click carries the same key and waits at the unique index until the
 * first one has ended. So the whole may be run again when its answer was lost, and is (`repeatable`).
 */
import { DatabaseManager, type Sql } from '@sluice/edge'
import { Hono } from 'hono'
import * as z from 'zod'
import type { Bindings } from '../db/connection-manager.ts'
import { interestLevels } from '../db/schema.ts'
import { answer, badRequest, noSuchPitch, Refusal, unknownUser } from '../http/answer.ts'
import { body, id, idempotencyKey, money, oneOf, text } from '../http/input.ts'
import { who } from '../http/who.ts'

export const investing = new Hono<{ Bindings: Bindings }>()

const newInvestment = z.strictObject({ pitchId: id, amount: money, terms: text(1, 2_000).optional() })
type NewInvestment = z.output<typeof newInvestment>

interface Investment {
  id: number
  pitchId: number
  amount: string
  status: string
  createdAt: Date
}

investing.post('/investments', async c => {
  const investor = who(c)
  const key = idempotencyKey(c)
  if (key === undefined)
    throw badRequest([
      { field: 'Idempotency-Key', message: 'is required: a UUID, one for each decision to invest' },
    ])
  const wanted = await body(c, newInvestment)
  const { investment, remaining } = await DatabaseManager.executeOptimalQuery(
    c.env,
    sql => sql.transaction(tx => invest(tx, investor, key, wanted)),
    { repeatable: true },
  )
  const fresh = remaining !== null
  return answer(
    c,
    { investment, ...(fresh ? { remainingAmount: remaining } : { repeated: true }) },
    fresh ? 201 : 200,
  )
})

async function invest(
  tx: Sql,
  investor: number,
  key: string,
  wanted: NewInvestment,
): Promise<{ investment: Investment; remaining: string | null }> {
  const { pitchId, amount, terms = null } = wanted
  const [investment] = await tx<Investment>`
    insert into investments (investor_id, pitch_id, amount, current_value, terms, idempotency_key)
    values (${investor}, ${pitchId}, ${amount}, ${amount}, ${terms}, ${key})
    on conflict (investor_id, idempotency_key) do nothing
    returning id, pitch_id as "pitchId", amount, status, created_at as "createdAt"`
  if (investment === undefined)
    return { investment: await ofEarlierClick(tx, investor, key, wanted), remaining: null }

  const [taken] = await tx<{ remaining: string }>`
    with taken as (
      update pitches p set remaining_amount = remaining_amount - ${amount}::numeric, updated_at = now()
      from users u
      where p.id = ${pitchId} and p.status = 'published' and p.visibility <> 'private' and p.seeking_investment
        and p.user_id <> ${investor}
        and p.remaining_amount >= ${amount}::numeric
        and ${amount}::numeric >= least(p.minimum_investment, p.remaining_amount)
        and u.id = ${investor} and u.is_active and u.user_type in ('investor', 'production')
      returning p.user_id, p.title, p.remaining_amount, u.first_name || ' ' || u.last_name as investor
    ), told as (
      insert into notifications (user_id, type, title, message, related_id, related_type, data)
      select
        user_id, 'investment', 'New investment', investor || ' invests in “' || title || '”.', ${pitchId}::int, 'pitch',
        jsonb_build_object('investorId', ${investor}::int, 'amount', ${amount}::text)
      from taken
    )
    select remaining_amount as remaining from taken`
  if (taken === undefined) throw await whyNot(tx, investor, pitchId, amount)
  return { investment, remaining: taken.remaining }
}

/** The key stands for one decision: with another pitch or amount it is a mistake of the client's, and is told so. */
async function ofEarlierClick(tx: Sql, investor: number, key: string, { pitchId, amount }: NewInvestment) {
  const [earlier] = await tx<Investment & { same: boolean }>`
    select
      id, pitch_id as "pitchId", amount, status, created_at as "createdAt",
      pitch_id = ${pitchId} and amount = ${amount}::numeric as same
    from investments
    where investor_id = ${investor} and idempotency_key = ${key}`
  const { same, ...investment } = earlier!
  if (!same) throw new Refusal(422, 'this Idempotency-Key was used for another investment')
  return investment
}

/** Asked in the transaction that failed to take the amount, before it is rolled back. */
async function whyNot(tx: Sql, investor: number, pitchId: number, amount: string): Promise<Refusal> {
  const [why] = await tx<{
    active: boolean
    invests: boolean
    listed: boolean
    own: boolean
    open: boolean
    minimum: string
    tooSmall: boolean
    left: string
  }>`
    select
      u.is_active as active,
      u.user_type in ('investor', 'production') as invests,
      p.user_id = u.id as own,
      p.status = 'published' and p.visibility <> 'private' as listed,
      p.seeking_investment and p.remaining_amount > 0 as open,
      least(p.minimum_investment, p.remaining_amount) as minimum,
      ${amount}::numeric < least(p.minimum_investment, p.remaining_amount) as "tooSmall",
      p.remaining_amount as left
    from users u, pitches p
    where u.id = ${investor} and p.id = ${pitchId}`
  // Both rows are there: the insert's foreign keys held.
  if (!why?.active) return unknownUser()
  if (!why.invests) return new Refusal(403, 'only investors and production companies invest')
  if (!why.listed) return noSuchPitch()
  if (why.own) return new Refusal(422, 'nobody can invest in their own pitch')
  if (!why.open) return new Refusal(409, 'this pitch takes no more investments')
  if (why.tooSmall) return new Refusal(422, `amount: the least that this pitch takes is ${why.minimum}`)
  return new Refusal(409, `only ${why.left} is left to invest in this pitch`)
}

const newInterest = z.strictObject({
  pitchId: id,
  amount: money.optional(),
  interestLevel: oneOf(interestLevels).default('moderate'),
  notes: text(1, 2_000).optional(),
})

/** One interest per investor and pitch. A second click, or a change of mind, updates it and tells nobody again. */
investing.post('/investment/express-interest', async c => {
  const investor = who(c)
  const { pitchId, amount = null, interestLevel, notes = null } = await body(c, newInterest)
  const { interest, fresh } = await DatabaseManager.executeOptimalQuery(
    c.env,
    sql =>
      sql.transaction(async tx => {
        const [about] = await tx<{
          invests: boolean
          own: boolean
          owner: number
          title: string
          investor: string
        }>`
          select
            u.user_type in ('investor', 'production') as invests,
            p.user_id = u.id as own,
            p.user_id as owner,
            p.title,
            u.first_name || ' ' || u.last_name as investor
          from users u
            left join pitches p on p.id = ${pitchId} and p.status = 'published' and p.visibility <> 'private'
          where u.id = ${investor} and u.is_active`
        if (about === undefined) throw unknownUser()
        if (!about.invests) throw new Refusal(403, 'only investors and production companies express interest')
        if (about.owner === null) throw noSuchPitch()
        if (about.own) throw new Refusal(422, 'nobody can be interested in their own pitch')

        const [made] = await tx<{ id: number }>`
          insert into investment_interests (investor_id, pitch_id, amount, interest_level, notes)
          values (${investor}, ${pitchId}, ${amount}, ${interestLevel}, ${notes})
          on conflict (investor_id, pitch_id) do nothing
          returning id`
        if (made === undefined) {
          const [updated] = await tx<{ id: number }>`
            update investment_interests
            set amount = ${amount}, interest_level = ${interestLevel}, notes = ${notes}, status = 'active', updated_at = now()
            where investor_id = ${investor} and pitch_id = ${pitchId}
            returning id`
          return { interest: updated!, fresh: false }
        }
        await tx`
          insert into notifications (user_id, type, title, message, related_id, related_type, data)
          values (
            ${about.owner}, 'interest', 'An investor is interested',
            ${`${about.investor} is interested in “${about.title}”.`}, ${pitchId}, 'pitch', ${{ investorId: investor }}
          )`
        return { interest: made, fresh: true }
      }),
    { repeatable: true },
  )
  return answer(c, { id: interest.id, pitchId, amount, interestLevel, notes }, fresh ? 201 : 200)
})
