/**
 * A dashboard is one statement: its parts are subselects, and the database has all of them at hand. Awaited one after
 * another they would cost a trip each, and from the edge a trip to the database is the most expensive part.
 *
 * Money leaves PostgreSQL as text in JSON too: a JSON number would become a float.
 */
import { Hono } from 'hono'
import { type Bindings, connection } from '../db/connection-manager.ts'
import { answer, unknownUser } from '../http/answer.ts'
import { who } from '../http/who.ts'

export const dashboards = new Hono<{ Bindings: Bindings }>()

dashboards.get('/creator/dashboard', async c => {
  const user = who(c)
  const [dashboard] = await connection(c.env)`
    with mine as (
      select id, title, format, status, view_count, like_count, nda_count, funding_goal, remaining_amount, created_at
      from pitches where user_id = ${user}
    )
    select
      json_build_object('id', u.id, 'name', u.first_name || ' ' || u.last_name, 'companyName', u.company_name) as user,
      (
        select json_build_object(
          'pitches', count(*),
          'published', count(*) filter (where status = 'published'),
          'drafts', count(*) filter (where status = 'draft'),
          'views', coalesce(sum(view_count), 0),
          'likes', coalesce(sum(like_count), 0),
          'ndas', coalesce(sum(nda_count), 0),
          'raised', coalesce(sum(funding_goal - remaining_amount), 0)::text,
          'sought', coalesce(sum(funding_goal), 0)::text
        )
        from mine
      ) as totals,
      (select count(*)::int from follows where following_id = u.id) as followers,
      (select count(*)::int from saved_pitches where pitch_id in (select id from mine)) as saves,
      (select count(*)::int from notifications where user_id = u.id and not is_read) as "unreadNotifications",
      (
        select coalesce(json_agg(top order by top."viewCount" desc, top.id), '[]')
        from (
          select
            id, title, format, status, view_count as "viewCount", like_count as "likeCount",
            funding_goal::text as "fundingGoal", remaining_amount::text as "remainingAmount"
          from mine order by view_count desc, id limit 10
        ) top
      ) as pitches,
      (
        select coalesce(json_agg(inbox order by inbox."requestedAt" desc, inbox.id desc), '[]')
        from (
          select
            r.id, r.pitch_id as "pitchId", mine.title, r.message, r.requested_at as "requestedAt",
            asker.first_name || ' ' || asker.last_name as requester, asker.company_name as "companyName"
          from nda_requests r join mine on mine.id = r.pitch_id join users asker on asker.id = r.requester_id
          where r.owner_id = u.id and r.status = 'pending'
          order by r.requested_at desc, r.id desc limit 10
        ) inbox
      ) as "pendingNdaRequests",
      (
        select coalesce(json_agg(latest order by latest."createdAt" desc, latest.id desc), '[]')
        from (
          select
            i.id, i.pitch_id as "pitchId", mine.title, i.amount::text, i.interest_level as "interestLevel",
            i.created_at as "createdAt", investor.first_name || ' ' || investor.last_name as investor
          from investment_interests i
            join mine on mine.id = i.pitch_id
            join users investor on investor.id = i.investor_id
          where i.status = 'active'
          order by i.created_at desc, i.id desc limit 10
        ) latest
      ) as interests
    from users u
    where u.id = ${user} and u.is_active`
  if (dashboard === undefined) throw unknownUser()
  return answer(c, dashboard)
})

dashboards.get('/investor/dashboard', async c => {
  const user = who(c)
  const [dashboard] = await connection(c.env)`
    with mine as (
      select i.id, i.pitch_id, p.title, p.genre, i.amount, i.current_value, i.status, i.roi_percentage, i.created_at
      from investments i join pitches p on p.id = i.pitch_id
      where i.investor_id = ${user} and i.status <> 'withdrawn'
    )
    select
      json_build_object('id', u.id, 'name', u.first_name || ' ' || u.last_name, 'companyName', u.company_name) as user,
      (
        select json_build_object(
          'investments', count(*),
          'pending', count(*) filter (where status = 'pending'),
          'invested', coalesce(sum(amount), 0)::text,
          'currentValue', coalesce(sum(current_value), 0)::text,
          'roiPercentage', coalesce(round((sum(current_value) - sum(amount)) * 100 / nullif(sum(amount), 0), 2), 0)::text
        )
        from mine
      ) as totals,
      (select count(*)::int from saved_pitches where user_id = u.id) as saved,
      (select count(*)::int from follows where follower_id = u.id) as following,
      (select count(*)::int from ndas where signer_id = u.id and access_granted) as "signedNdas",
      (select count(*)::int from notifications where user_id = u.id and not is_read) as "unreadNotifications",
      (
        select coalesce(json_agg(share order by share.genre), '[]')
        from (
          select genre, count(*) as investments, sum(amount)::text as invested from mine group by genre
        ) share
      ) as "byGenre",
      (
        select coalesce(json_agg(latest order by latest."createdAt" desc, latest.id desc), '[]')
        from (
          select
            id, pitch_id as "pitchId", title, genre, amount::text, current_value::text as "currentValue", status,
            roi_percentage::text as "roiPercentage", created_at as "createdAt"
          from mine order by created_at desc, id desc limit 10
        ) latest
      ) as investments,
      (
        select coalesce(json_agg(latest order by latest."createdAt" desc, latest.id desc), '[]')
        from (
          select
            i.id, i.pitch_id as "pitchId", p.title, i.amount::text, i.interest_level as "interestLevel",
            p.remaining_amount::text as "remainingAmount", i.created_at as "createdAt"
          from investment_interests i join pitches p on p.id = i.pitch_id
          where i.investor_id = u.id and i.status = 'active'
          order by i.created_at desc, i.id desc limit 10
        ) latest
      ) as interests
    from users u
    where u.id = ${user} and u.is_active`
  if (dashboard === undefined) throw unknownUser()
  return answer(c, dashboard)
})
