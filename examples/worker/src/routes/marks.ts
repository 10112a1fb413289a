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
import { answer, noSuchPitch, Refusal, unknownUser } from '../http/answer.ts'
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
      const [there] = await sql<{ user: boolean; pitch: boolean }>`
        with saver as (
          select id from users where id = ${user} and is_active
        ), pitch as (
          select id from pitches where id = ${pitchId} and status = 'published' and visibility <> 'private'
        ), made as (
          insert into saved_pitches (user_id, pitch_id) select saver.id, pitch.id from saver, pitch on conflict do nothing
        )
        select exists (select from saver) as user, exists (select from pitch) as pitch`
      if (!there!.user) throw unknownUser()
      if (!there!.pitch) throw noSuchPitch()
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
      const [there] = await sql<{ user: boolean; target: boolean }>`
        with follower as (
          select id, first_name || ' ' || last_name as name from users where id = ${user} and is_active
        ), target as (
          select id as owner, ' follows you.' as what from users where id = ${userId}::int and is_active
          union all
          select user_id, ' follows “' || title || '”.'
          from pitches where id = ${pitchId}::int and status = 'published' and visibility <> 'private'
        ), made as (
          insert into follows (follower_id, following_id, pitch_id)
          select follower.id, ${userId}::int, ${pitchId}::int from follower, target
          on conflict do nothing
          returning id
        ), told as (
          insert into notifications (user_id, type, title, message, related_id, related_type, data)
          select owner, 'follow', 'New follower', name || what, ${user}::int, 'user', jsonb_build_object('followerId', ${user}::int)
          from made, target, follower
          where owner <> ${user}
        )
        select exists (select from follower) as user, exists (select from target) as target`
      if (!there!.user) throw unknownUser()
      if (!there!.target) throw userId === null ? noSuchPitch() : new Refusal(404, 'there is no such user')
    },
    { repeatable: true },
  )
  return answer(c, { ...(userId === null ? { pitchId } : { userId }), following: wanted })
})
