/** All cases, in the order in which they run. */

import { beside } from './beside.ts'
import type { Case } from './case.ts'
import { cursors } from './cursors.ts'
import { drizzleValues } from './drizzle-values.ts'
import { limits } from './limits.ts'
import { secrets } from './secrets.ts'
import { statements } from './statements.ts'
import { tls } from './tls.ts'
import { transactions } from './transactions.ts'
import { trips } from './trips.ts'
import { urls } from './urls.ts'
import { values } from './values.ts'

export const suite: readonly Case[] = [
  ...[...values, ...drizzleValues, ...statements, ...transactions, ...beside, ...cursors],
  ...[...limits, ...trips, ...urls, ...secrets, ...tls],
]
