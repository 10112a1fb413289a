import { integer, numeric, pgTable, text } from 'drizzle-orm/pg-core'

export const items = pgTable('items', {
  id: integer().primaryKey(),
  title: text().notNull(),
  price: numeric({ precision: 10, scale: 2 }).notNull(),
})
