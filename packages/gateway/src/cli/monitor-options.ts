/** The command line of `sluice monitor`, read into options. What can't be read is a `UsageError` that says why. */
import { parseArgs } from 'node:util'
import { defaults, type MonitorOptions, percentiles, type Threshold } from '../monitor/index.ts'
import { UsageError } from './usage-error.ts'

/** Each is a socket and a file descriptor here; more users than that need more machines to measure from. */
const mostConnections = 1_000
/** A timer of more than 24 days would ring at once. */
const longestHours = 24

export const usage = `sluice monitor [URL] [options]

  Checks the four health pages of an application on @sluice/edge, measures an
  endpoint, and says what to do. Without a URL: the npm start of this clone.

What is measured
  --path <path>         the endpoint, from the URL's root (the performance page)
  --health-path <path>  where the health pages are (${defaults.healthPath})
  --token <text>        for the performance page, if it demands one; better in
                        SLUICE_HEALTH_TOKEN: words show in the list of processes

How
  --requests <n>        how many (${defaults.requests}, if there is no --duration)
  --duration <time>     how long: 500ms, 30s, 2m
  --rate <n>            a second; latency counts from when a request was due.
                        Without it: closed loop, each connection sends its next
                        request when it has its answer
  --concurrency <n>     connections at most (${defaults.concurrency}; up to ${mostConnections})
  --warm-up <n>         requests before, in no figure (one for each connection)
  --timeout <time>      how long an answer may take (${defaults.timeoutMs / 1000}s)
  --no-keepalive        a new connection for each request

What is asked of it
  --max-errors <n|n%>   failed requests (${defaults.maxErrorsPercent}%)
  --max-p95 <time>      also --max-p50, -p75, -p90, -p99, -p99.9, and
                        --max-mean, --max-latency (the slowest)

What comes out
  --json                one JSON document on stdout, whatever happens
  --no-color            no colours, as with NO_COLOR in the environment

Exit code: 0 healthy; 1 unhealthy, or more than asked; 2 wrong usage, or these
are not our pages.`

export type Invocation =
  | { readonly wants: 'help' }
  /** No URL was given: whoever calls finds the running one. */
  | {
      readonly wants: 'run'
      readonly options: Omit<MonitorOptions, 'url'>
      readonly url: string | null
      readonly json: boolean
      readonly colour: boolean
    }

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const

const limits = [...percentiles.map(each => `p${each}` as const), 'mean', 'latency'] as const

const known = {
  ...{ path: text, 'health-path': text, token: text },
  ...{ requests: text, duration: text, rate: text, concurrency: text, 'warm-up': text, timeout: text },
  ...{ 'no-keepalive': flag, json: flag, 'no-color': flag, help: { ...flag, short: 'h' } },
  'max-errors': text,
  ...Object.fromEntries(limits.map(each => [`max-${each}`, text])),
} as const

export function readMonitorOptions(words: readonly string[], environment: NodeJS.ProcessEnv): Invocation {
  const { values, positionals } = parsed(words)
  if (values.help) return { wants: 'help' }
  if (positionals.length > 1)
    throw new UsageError(`one URL, not ${positionals.length}: ${positionals.map(withoutUser).join(' ')}`)
  const given = (name: string) => values[name] as string | undefined
  const whole = (name: string, least: number, most = Number.MAX_SAFE_INTEGER) => {
    const word = given(name)
    if (word === undefined) return undefined
    const number = Number(word)
    if (word.trim() === '' || !Number.isInteger(number) || number < least || number > most) {
      const upTo = most < Number.MAX_SAFE_INTEGER ? ` to ${most}` : ''
      throw new UsageError(`--${name} is a whole number from ${least}${upTo}, not "${word}"`)
    }
    return number
  }
  const durationMs = duration('duration', given('duration')) ?? null
  const concurrency = whole('concurrency', 1, mostConnections) ?? defaults.concurrency
  return {
    wants: 'run',
    url: positionals[0] === undefined ? null : baseUrl(positionals[0]),
    json: values.json === true,
    colour: values['no-color'] !== true,
    options: {
      healthPath: healthPathOf(given('health-path')) ?? defaults.healthPath,
      path: pathOf('path', given('path')) ?? null,
      warmUp: whole('warm-up', 0) ?? concurrency,
      requests: whole('requests', 1) ?? (durationMs === null ? defaults.requests : null),
      ...{ durationMs, concurrency },
      ratePerSecond: rateOf(given('rate')),
      timeoutMs: duration('timeout', given('timeout')) ?? defaults.timeoutMs,
      keepAlive: values['no-keepalive'] !== true,
      token:
        tokenOf('--token', given('token')) ?? tokenOf('SLUICE_HEALTH_TOKEN', environment.SLUICE_HEALTH_TOKEN),
      thresholds: thresholds(given),
    },
  }
}

function parsed(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: known, allowPositionals: true }) as {
      values: Record<string, string | boolean | undefined>
      positionals: string[]
    }
  } catch (error) {
    // Node's further sentences speak of positional arguments, which nobody meant.
    throw new UsageError((error as Error).message.split(/\. |\.?\n/)[0]!)
  }
}

function baseUrl(word: string): string {
  const url = URL.parse(word)
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    const hint =
      URL.canParse(`https://${word}`) && !word.includes('://') ? ': it begins with https:// or http://' : ''
    throw new UsageError(`"${withoutUser(word)}" is not a URL${hint}`)
  }
  if (url.username || url.password)
    throw new UsageError('the URL holds a user or password; the monitor sends none')
  if (url.search || url.hash)
    throw new UsageError('the URL is that of the application: a query belongs to --path')
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

/** Messages end up in logs. What can't be read as a URL may still hold a password. */
const withoutUser = (word: string) => word.replace(/^.*@/s, '...@')

function healthPathOf(word: string | undefined): string | undefined {
  const path = pathOf('health-path', word)
  if (path?.includes('?')) throw new UsageError(`--health-path is a path without a query: "${word}"`)
  return path?.replace(/\/+$/, '')
}

/** An empty one is none. */
function tokenOf(source: string, token: string | undefined): string | undefined {
  if (token && (!/^[\x20-\x7e]*$/.test(token) || token !== token.trim())) {
    throw new UsageError(
      `${source} can't be sent: it holds a line break, a character beyond ASCII, or a space at an end`,
    )
  }
  return token || undefined
}

/** Written as a browser would send it. */
function pathOf(name: string, word: string | undefined): string | undefined {
  if (word === undefined) return undefined
  if (!/^\/[^\s#]*$/.test(word))
    throw new UsageError(`--${name} begins with a slash and has no spaces: "${word}"`)
  const { pathname, search } = new URL(`http://localhost${word}`)
  return `${pathname}${search}`
}

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

function duration(name: string, word: string | undefined): number | undefined {
  if (word === undefined) return undefined
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(word.trim()) ?? []
  const ms = Number(number) * (unitMs[unit ?? ''] ?? Number.NaN)
  if (!(ms > 0))
    throw new UsageError(`--${name} is a time with its unit, as 200ms, 1.5s or 2m, not "${word}"`)
  if (ms > longestHours * 3_600_000)
    throw new UsageError(`--${name} is at most ${longestHours}h, not "${word}"`)
  return ms
}

function rateOf(word: string | undefined): number | null {
  if (word === undefined) return null
  const number = Number(word.replace(/\/s$/, ''))
  if (!(number > 0) || number > 100_000) {
    throw new UsageError(`--rate is a number of requests a second, not "${word}"`)
  }
  return number
}

function thresholds(given: (name: string) => string | undefined): Threshold[] {
  const asked = limits.flatMap((name): Threshold[] => {
    const limitMs = duration(`max-${name}`, given(`max-${name}`))
    if (limitMs === undefined) return []
    if (name === 'mean') return [{ of: 'latency', percentile: name, limitMs }]
    if (name === 'latency') return [{ of: 'latency', percentile: 'max', limitMs }]
    return [{ of: 'latency', percentile: percentiles.find(each => name === `p${each}`)!, limitMs }]
  })
  return [...asked, errorLimit(given('max-errors'))]
}

function errorLimit(word: string | undefined): Threshold {
  if (word === undefined) return { of: 'errors', limitPercent: defaults.maxErrorsPercent, isDefault: true }
  const [, number, sign] = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(word.trim()) ?? []
  const limit = Number(number)
  if (number === undefined || (sign ? limit > 100 : !Number.isInteger(limit))) {
    throw new UsageError(`--max-errors is a share, as 1%, or a number of requests, as 5, not "${word}"`)
  }
  return sign ? { of: 'errors', limitPercent: limit, isDefault: false } : { of: 'error count', limit }
}
