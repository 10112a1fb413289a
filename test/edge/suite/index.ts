/** All cases, in the order in which they run. */
import type { Case } from './case.ts'
import { cursors } from './cursors.ts'
import { drizzleValues } from './drizzle-values.ts'
import { statements } from './statements.ts'
import { transactions } from './transactions.ts'
import { values } from './values.ts'

export const suite: readonly Case[] = [
  ...values,
  ...drizzleValues,
  ...statements,
  ...transactions,
  ...cursors,
]
