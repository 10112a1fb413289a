/**
 * The one shape of every answer: `{ success: true, data }` or `{ success: false, message, errors? }`.
 *
 * Whoever finds a reason to say no throws a Refusal, inside a transaction too: that rolls it back.
 */
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'

/** What is wrong with which part of a request. */
export interface FieldError {
  field: string
  message: string
}

export class Refusal extends Error {
  readonly status: ContentfulStatusCode
  readonly errors: FieldError[] | undefined

  constructor(status: ContentfulStatusCode, message: string, errors?: FieldError[]) {
    super(message)
    this.name = 'Refusal'
    this.status = status
    this.errors = errors
  }
}

export const badRequest = (errors: FieldError[]) =>
  new Refusal(400, errors.map(({ field, message }) => `${field}: ${message}`).join('; '), errors)

export const unknownUser = () => new Refusal(401, 'X-User-Id: there is no such user, or it is not active')

export const noSuchPitch = () => new Refusal(404, 'there is no such pitch')

export const answer = (c: Context, data: unknown, status: ContentfulStatusCode = 200) =>
  c.json({ success: true, data }, status)

export const refuse = (c: Context, { status, message, errors }: Refusal) =>
  c.json({ success: false, message, ...(errors && { errors }) }, status)
