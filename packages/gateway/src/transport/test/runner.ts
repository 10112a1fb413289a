/**
 * Runs the suite on Bun: one line of JSON for each case.
 *
 * It ends by itself after the last one: a socket that a case has left open keeps it alive, and is seen by that.
 */
import { bunTransport } from '../bun.ts'
import { outcomeOf } from './case.ts'
import { suite } from './index.ts'

const stray: string[] = []
process.on('unhandledRejection', error => stray.push(`unhandled rejection: ${error}`))
process.on('uncaughtException', error => stray.push(`uncaught exception: ${error.stack}`))

for (const one of suite) {
  const outcome = await outcomeOf(one, bunTransport)
  // Rejections are told of in a turn of their own.
  await new Promise(resolve => setTimeout(resolve, 0))
  console.log(JSON.stringify({ ...outcome, error: outcome.error ?? (stray.splice(0).join('\n') || null) }))
}
