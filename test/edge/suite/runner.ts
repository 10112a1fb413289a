/**
 * Runs the suite's cases on Node, Bun or Deno: one line of JSON for each, and nothing else may be printed.
 *
 *     node runner.ts '{"runtime":"node","way":"pg",…}' ['["name of a case", …]']
 *
 * It ends by itself when the last case is over: a pool that keeps a process alive is seen by that.
 */
import { type Place, runCase, World } from './case.ts'
import { suite } from './index.ts'

const [given, names] = process.argv.slice(2)
const place = JSON.parse(given!) as Place
const wanted = names && (JSON.parse(names) as string[])

/** What nobody caught, and what the runtime warned of. */
const stray: string[] = []
process.on('unhandledRejection', error => stray.push(`unhandled rejection: ${textOf(error)}`))
process.on('uncaughtException', error => stray.push(`uncaught exception: ${textOf(error)}`))
process.on('warning', warning => stray.push(`warning: ${textOf(warning)}`))
globalThis.addEventListener?.('unhandledrejection', event => {
  event.preventDefault()
  stray.push(`unhandled rejection: ${textOf((event as PromiseRejectionEvent).reason)}`)
})

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

for (const one of suite) {
  if (one.skip(place) || (wanted && !wanted.includes(one.name))) continue
  const outcome = await runCase(one, new World(place))
  // Rejections are told of in a turn of their own.
  await new Promise(resolve => setTimeout(resolve, 0))
  const astray = stray.splice(0).join('\n') || null
  console.log(JSON.stringify({ ...outcome, error: outcome.error ?? astray }))
}
process.on('exit', () => {
  if (stray.length > 0)
    console.log(JSON.stringify({ name: 'after the last case', error: stray.join('\n'), ms: 0 }))
})
