/**
 * From an error that nobody caught to an answer that helps and gives nothing away.
 *
 *     Refusal                      ──▶ as it says
 *     database out of reach        ──▶ 503 and Retry-After
 *     a constraint said no         ──▶ 401, 404, 409 or 422
 *     anything else                ──▶ 500; what happened is in the log only
 */
import { DatabaseError } from '@sluice/edge'
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { noSuchPitch, Refusal, refuse, unknownUser } from './answer.ts'

/** SQLSTATE classes and codes after which the same request may succeed a little later. */
const outOfReach = /^(08|53|57P|57014|58)/
const tryAgain = /^(40001|40P01|55P03)/

export function onError(error: Error, c: Context): Response {
  if (error instanceof Refusal) return refuse(c, error)
  if (error instanceof HTTPException) return refuse(c, new Refusal(error.status as 400, error.message))
  const refusal = error instanceof DatabaseError ? fromDatabase(error, c.req.method) : undefined
  if (refusal === undefined || refusal.status === 503) {
    const { code, route, sent } = error as Partial<DatabaseError>
    // One line that a log search finds. The library keeps secrets and parameters out of its messages.
    console.error(JSON.stringify({ path: c.req.path, error: error.message, code, route, sent }))
  }
  if (refusal?.status === 503) c.header('Retry-After', '5')
  return refuse(c, refusal ?? new Refusal(500, 'something went wrong on our side'))
}

function fromDatabase(error: DatabaseError, method: string): Refusal | undefined {
  const { code } = error
  if (outOfReach.test(code)) {
    const unknown = error.sent === 'maybe' && method !== 'GET'
    return new Refusal(
      503,
      unknown
        ? 'the database stopped answering, and whether your change was made is unknown; send it again with the same Idempotency-Key'
        : 'the database is out of reach; please try again shortly',
    )
  }
  if (tryAgain.test(code)) return new Refusal(503, 'too many people did this at once; please try again')
  if (code === '23503') return notThere(error.constraint ?? '')
  if (code === '23505') return new Refusal(409, 'that is already there')
  if (code === '23514') return new Refusal(422, 'the values contradict each other')
  return undefined
}

/** A foreign key that found nothing: the pitch, or the one who asks. */
const notThere = (constraint: string): Refusal =>
  constraint.endsWith('_pitch_fk') ? noSuchPitch() : unknownUser()
