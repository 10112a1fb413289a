/**
 * Who is asking: the number in the header X-User-Id, or in ?userId=.
 *
 * A stand-in. A real Worker would check a session or a token here and hand on the same number; nothing else in the
 * example would change. As it is, anyone can be anyone: don't put it on the Internet with data of your own.
 */
import type { Context } from 'hono'
import * as z from 'zod'
import { Refusal } from './answer.ts'
import { checked, idInDigits } from './input.ts'

/** @throws Refusal 401 where nobody says who is asking */
export function who(c: Context): number {
  const user = whoIfAny(c)
  if (user === null) throw new Refusal(401, 'say who is asking: the header X-User-Id, or ?userId= in the URL')
  return user
}

export function whoIfAny(c: Context): number | null {
  const header = c.req.header('x-user-id')
  const field = header === undefined ? 'userId' : 'X-User-Id'
  const value = header ?? c.req.query('userId')
  if (value === undefined || value === '') return null
  return checked(z.object({ [field]: idInDigits }), { [field]: value }, field)[field]!
}
