import type { Case } from './case.ts'
export const drizzleValues: Case[] = []
