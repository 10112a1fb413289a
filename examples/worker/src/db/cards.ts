/** A pitch as lists show it, and which pitches everybody may see. */
import { and, eq, ne, sql } from 'drizzle-orm'
import { pitches, users } from './schema.ts'

/** The condition of the partial indexes, so that PostgreSQL can use them. */
export const listed = and(eq(pitches.status, 'published'), ne(pitches.visibility, 'private'))

/** Columns by name: not the search vector, not a password's hash. `creator` becomes an object of its own. */
export const card = {
  id: pitches.id,
  title: pitches.title,
  logline: pitches.logline,
  genre: pitches.genre,
  format: pitches.format,
  budgetRange: pitches.budgetRange,
  estimatedBudget: pitches.estimatedBudget,
  productionStage: pitches.productionStage,
  seekingInvestment: pitches.seekingInvestment,
  viewCount: pitches.viewCount,
  likeCount: pitches.likeCount,
  tags: pitches.tags,
  publishedAt: pitches.publishedAt,
  creator: {
    id: users.id,
    name: sql<string>`${users.firstName} || ' ' || ${users.lastName}`,
    companyName: users.companyName,
    companyVerified: users.companyVerified,
  },
}
