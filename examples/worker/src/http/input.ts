/**
 * From a request to checked values, or to a 400 that names the field and what is wrong with it.
 *
 * What PostgreSQL would refuse is refused here: ids beyond its integer, amounts beyond numeric(15,2), a text with
 * U+0000. Nothing is escaped or filtered: values travel as parameters, and `'; drop table` is a title like any other.
 */
import type { Context } from 'hono'
import * as z from 'zod'
import { badRequest, type FieldError, Refusal } from './answer.ts'

const maxId = 2_147_483_647
const maxBodyBytes = 64 * 1024

/** A whole number in JSON. */
export const whole = (from: number, to: number) => {
  const words = `must be a whole number from ${from} to ${to}`
  return z.int(words).min(from, words).max(to, words)
}
export const id = whole(1, maxId)

/** A whole number in a URL or a header: digits. */
export const digits = (from: number, to: number) => {
  const words = `must be a whole number from ${from} to ${to}`
  return z
    .string()
    .regex(/^\d{1,10}$/, words)
    .transform(Number)
    .refine(value => value >= from && value <= to, words)
}
export const idInDigits = digits(1, maxId)

/** A text of `from` to `to` characters, blanks at its ends taken off. */
export const text = (from: number, to: number) =>
  z
    .string()
    .trim()
    .min(from, from === 1 ? 'must not be empty' : `must have at least ${from} characters`)
    .max(to, `must have at most ${to} characters`)
    .refine(value => !value.includes('\0'), 'must not contain the character U+0000')

const moneyForm = /^\d{1,13}(\.\d{1,2})?$/

/** "7500" as numeric(15,2) prints it, so that an answer with it is the same before and after the database. */
const twoDecimals = (text: string) => {
  const [whole, cents = ''] = text.split('.')
  return `${whole}.${cents.padEnd(2, '0')}`
}

/** A text with two decimals, never a number: 0.1 + 0.2 is no way to add up money. */
const amount = (lowest: 'zero' | 'above zero') => {
  const words = `must be an amount ${lowest === 'zero' ? 'of 0 or more' : 'above 0'} with at most two decimals, like 2500 or "2500.50"`
  return z
    .union([z.string(), z.number()], words)
    .transform(String)
    .refine(value => moneyForm.test(value) && (lowest === 'zero' || Number(value) > 0), {
      error: words,
      // Two amounts are compared only when both are amounts.
      abort: true,
    })
    .transform(twoDecimals)
}
export const money = amount('above zero')
export const budget = amount('zero')

/** One of `names`; the message lists them. */
export const oneOf = <const Names extends readonly [string, ...string[]]>(names: Names) =>
  z.enum(names, `must be one of ${names.map(name => `"${name}"`).join(', ')}`)

/**
 * Reads the JSON body of a request.
 * @throws Refusal 400, or 413 where it is larger than any of this API's requests
 */
export async function body<Shape extends z.ZodType>(c: Context, shape: Shape): Promise<z.output<Shape>> {
  const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json' && !type?.endsWith('+json')) {
    throw badRequest([
      { field: 'Content-Type', message: `must be application/json, not ${type || 'missing'}` },
    ])
  }
  if (Number(c.req.header('content-length') ?? 0) > maxBodyBytes) throw tooLarge()
  const bytes = await c.req.arrayBuffer()
  if (bytes.byteLength > maxBodyBytes) throw tooLarge()
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw badRequest([{ field: 'body', message: `is not JSON: ${(error as Error).message}` }])
  }
  return checked(shape, parsed, 'body')
}

const tooLarge = () => new Refusal(413, `the body is larger than ${maxBodyBytes / 1024} kB`)

/** Reads the query string. An empty value (`?genre=`) is what a form sends for a field left out. */
export function query<Shape extends z.ZodType>(c: Context, shape: Shape): z.output<Shape> {
  const given = Object.entries(c.req.query()).filter(([, value]) => value !== '')
  return checked(shape, Object.fromEntries(given), 'query')
}

/** The `:id` of the path. */
export const pathId = (c: Context): number =>
  checked(z.object({ id: idInDigits }), { id: c.req.param('id') }, 'path').id

/** The key with which a client says "this is the same click as before". */
export const idempotencyKey = (c: Context): string | undefined =>
  checked(
    z.object({
      'Idempotency-Key': z.uuid('must be a UUID, made anew for each thing that a user decides').optional(),
    }),
    { 'Idempotency-Key': c.req.header('idempotency-key') },
    'headers',
  )['Idempotency-Key']

export function checked<Shape extends z.ZodType>(
  shape: Shape,
  value: unknown,
  part: string,
): z.output<Shape> {
  const result = shape.safeParse(value, { error: inPlainWords })
  if (result.success) return result.data
  throw badRequest(result.error.issues.flatMap(issue => fieldErrors(issue, part)))
}

function fieldErrors(issue: z.core.$ZodIssue, part: string): FieldError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(key => ({
      field: [...issue.path, key].join('.'),
      message: 'is not a field of this request',
    }))
  }
  return [{ field: issue.path.join('.') || part, message: issue.message }]
}

function inPlainWords(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.input === undefined && issue.code !== 'custom') return 'is required'
  if (issue.code !== 'invalid_type') return undefined
  const article = /^[aeio]/.test(issue.expected) ? 'an' : 'a'
  return `must be ${article} ${issue.expected}`
}
