/** All cases, in the order in which they run. */
import type { Case } from './case.ts'
import { drizzleValues } from './drizzle-values.ts'
import { values } from './values.ts'

export const suite: readonly Case[] = [...values, ...drizzleValues]
