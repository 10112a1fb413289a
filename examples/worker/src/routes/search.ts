/**
 * Full-text search with filters.
 *
 * websearch_to_tsquery takes what people type (`"night train" -romance`) and never fails on it. The text goes to it as
 * a parameter, so there is nothing to escape.
 */
import { and, desc, eq, gte, lte, sql } from 'drizzle-orm'
import { Hono } from 'hono'
import * as z from 'zod'
import { card, listed } from '../db/cards.ts'
import { type Bindings, database } from '../db/connection-manager.ts'
import { formats, genres, pitches, users } from '../db/schema.ts'
import { answer } from '../http/answer.ts'
import { budget, digits, oneOf, query, text } from '../http/input.ts'

export const search = new Hono<{ Bindings: Bindings }>()

const searchQuery = z
  .object({
    q: text(1, 200).optional(),
    genre: oneOf(genres).optional(),
    format: oneOf(formats).optional(),
    minBudget: budget.optional(),
    maxBudget: budget.optional(),
    limit: digits(1, 50).optional(),
  })
  .refine(
    ({ minBudget, maxBudget }) => Number(minBudget ?? 0) <= Number(maxBudget ?? Number.POSITIVE_INFINITY),
    {
      path: ['maxBudget'],
      message: 'must not be below minBudget',
    },
  )

search.get('/search', async c => {
  const { q, genre, format, minBudget, maxBudget, limit = 50 } = query(c, searchQuery)
  const words = q === undefined ? undefined : sql`websearch_to_tsquery('english', ${q})`
  const rows = await database(c.env)
    .select(card)
    .from(pitches)
    .innerJoin(users, eq(users.id, pitches.userId))
    .where(
      and(
        listed,
        words && sql`${pitches.search} @@ ${words}`,
        genre && eq(pitches.genre, genre),
        format && eq(pitches.format, format),
        minBudget ? gte(pitches.estimatedBudget, minBudget) : undefined,
        maxBudget ? lte(pitches.estimatedBudget, maxBudget) : undefined,
      ),
    )
    .orderBy(
      ...(words ? [desc(sql`ts_rank_cd(${pitches.search}, ${words})`)] : []),
      desc(pitches.publishedAt),
      desc(pitches.id),
    )
    .limit(limit)
  return answer(c, { pitches: rows })
})
