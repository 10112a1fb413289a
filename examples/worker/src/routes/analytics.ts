/**
 * What visitors do on a pitch's page, as the page reports it: how long they read, how far, what they played.
 *
 * A beacon is sent again when the browser is not sure that it arrived, and again with higher figures while the page
 * is open. One row per session, pitch and kind, which keeps the highest figures, makes all of that harmless.
 */
import { DatabaseManager } from '@sluice/edge'
import { Hono } from 'hono'
import * as z from 'zod'
import type { Bindings } from '../db/connection-manager.ts'
import { answer, noSuchPitch } from '../http/answer.ts'
import { body, id, oneOf, text, whole } from '../http/input.ts'
import { whoIfAny } from '../http/who.ts'

export const analytics = new Hono<{ Bindings: Bindings }>()

const report = z.strictObject({
  pitchId: id,
  sessionId: z.uuid('must be a UUID, one for each visit'),
  // 'page' is not among them: those are the views that GET /api/pitches/:id counts.
  viewType: oneOf(['read', 'trailer', 'deck', 'share']).default('read'),
  viewDuration: whole(0, 86_400).optional(),
  scrollDepth: whole(0, 100).optional(),
  referrer: text(1, 500).optional(),
})

analytics.post('/analytics/track', async c => {
  const viewer = whoIfAny(c)
  const {
    pitchId,
    sessionId,
    viewType,
    viewDuration = null,
    scrollDepth = null,
    referrer = null,
  } = await body(c, report)
  const [row] = await DatabaseManager.executeOptimalQuery(
    c.env,
    async sql => sql<{ viewDuration: number | null; scrollDepth: number | null }>`
      insert into pitch_views as v (pitch_id, viewer_id, view_type, session_id, view_duration, scroll_depth, referrer)
      select id, ${viewer}::int, ${viewType}::view_type, ${sessionId}::uuid, ${viewDuration}::int, ${scrollDepth}::smallint, ${referrer}
      from pitches
      where id = ${pitchId} and status = 'published' and visibility <> 'private'
      on conflict (session_id, pitch_id, view_type) where view_type <> 'page' and session_id is not null
      do update set
        view_duration = greatest(v.view_duration, excluded.view_duration),
        scroll_depth = greatest(v.scroll_depth, excluded.scroll_depth)
      returning view_duration as "viewDuration", scroll_depth as "scrollDepth"`,
    { repeatable: true },
  )
  if (row === undefined) throw noSuchPitch()
  return answer(c, { pitchId, sessionId, viewType, ...row })
})
