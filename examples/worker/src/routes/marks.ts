/**
 * Saving a pitch, following a person or a pitch.
 *
 * The request says which state is wanted, not "toggle": a second click asks for what is there already and changes
 * nothing. Each is one statement, so there is no moment between looking and writing.
 */
import { DatabaseManager } from '@sluice/edge'
import { Hono } from 'hono'
import * as z from 'zod'
import type { Bindings } from '../db/connection-manager.ts'
import { answer, noSuchPitch, Refusal } from '../http/answer.ts'
import { body, id } from '../http/input.ts'
import { who } from '../http/who.ts'

export const marks = new Hono<{ Bindings: Bindings }>()

const saving = z.strictObject({ pitchId: id, saved: z.boolean().default(true) })

marks.post('/pitches/save', async c => {
  const user = who(c)
  const { pitchId, saved } = await body(c, saving)
  await DatabaseManager.executeOptimalQuery(
    c.env,
    async sql => {
      if (!saved) {
        await sql`delete from saved_pitches where user_id = ${user} and pitch_id = ${pitchId}`
        return
      }
      const [{ found } = { found: false }] = await sql<{ found: boolean }>`
        with pitch as (
          select id from pitches where id = ${pitchId} and status = 'published' and visibility <> 'private'
        ), made as (
          insert into saved_pitches (user_id, pitch_id) select ${user}, id from pitch on conflict do nothing
        )
        select exists (select from pitch) as found`
      if (!found) throw noSuchPitch()
    },
    { repeatable: true },
  )
  return answer(c, { pitchId, saved })
})

const following = z
  .strictObject({ userId: id.optional(), pitchId: id.optional(), following: z.boolean().default(true) })
  .refine(({ userId, pitchId }) => (userId === undefined) !== (pitchId === undefined), {
    path: ['userId'],
    message: 'either userId or pitchId must be there, and not both',
  })

marks.post('/follow', async c => {
  const user = who(c)
  const { userId = null, pitchId = null, following: wanted } = await body(c, following)
  if (userId === user) throw new Refusal(422, 'nobody can follow themselves')
  await DatabaseManager.executeOptimalQuery(
    c.env,
    async sql => {
      if (!wanted) {
        await sql`
          delete from follows
          where follower_id = ${user} and (following_id = ${userId}::int or pitch_id = ${pitchId}::int)`
        return
      }
      // Who is told: the person who is followed, or whoever made the pitch. Only the first click tells them.
      const [{ found } = { found: false }] = await sql<{ found: boolean }>`
        with target as (
          select id as owner from users where id = ${userId}::int and is_active
          union all
          select user_id from pitches where id = ${pitchId}::int and status = 'published' and visibility <> 'private'
        ), made as (
          insert into follows (follower_id, following_id, pitch_id)
          select ${user}, ${userId}::int, ${pitchId}::int from target
          on conflict do nothing
          returning id
        ), told as (
          insert into notifications (user_id, type, title, message, related_id, related_type, data)
          select
            owner, 'follow', 'New follower',
            u.first_name || ' ' || u.last_name || case when ${userId}::int is null then ' follows your pitch.' else ' follows you.' end,
            u.id, 'user', jsonb_build_object('followerId', u.id)
          from made, target, users u
          where u.id = ${user}
        )
        select exists (select from target) as found`
      if (!found) throw userId === null ? noSuchPitch() : new Refusal(404, 'there is no such user')
    },
    { repeatable: true },
  )
  return answer(c, { ...(userId === null ? { pitchId } : { userId }), following: wanted })
})
