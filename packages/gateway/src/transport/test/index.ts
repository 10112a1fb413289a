import { addresses } from './addresses.ts'
import type { Case } from './case.ts'
import { ends } from './ends.ts'
import { flow } from './flow.ts'
import { tls } from './tls.ts'
import { verification } from './verification.ts'

export const suite: readonly Case[] = [...addresses, ...ends, ...flow, ...tls, ...verification]
