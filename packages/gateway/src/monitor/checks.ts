/**
 * The checks: what each of the four health pages answered, and what that means.
 *
 *     healthy      ours, and well
 *     unhealthy    ours, and it says that something is wrong; or nothing answers, or a 5xx that is not ours
 *     not ours     HTML, a redirect, 401, 404, a JSON without the fields: this is not the page, or not for us
 *
 * A 200 alone proves nothing: single-page applications answer it to every path.
 */
import { type Answer, type Answered, longestBody } from './answer.ts'
import { type PerformancePage, readPerformancePage } from './performance-page.ts'
import { healthShape, liveShape, misfits, performanceShape, readyShape, type Shape } from './shape.ts'

export type Verdict = 'healthy' | 'unhealthy' | 'not ours'

export interface Check {
  readonly path: string
  readonly verdict: Verdict
  /** null: no answer. */
  readonly status: number | null
  /** From sending to the last byte, in ms; a single one, cold. */
  readonly tookMs: number
  /** What was seen that is well, in a few words. */
  readonly summary: string
  /** Why the verdict is not healthy, one line each. */
  readonly findings: readonly string[]
}

export const pageNames = ['health', 'live', 'ready', 'performance'] as const
export type PageName = (typeof pageNames)[number]

/** Few: the page asks one query for each. */
export const checkSamples = 5

export const pagePath: Record<PageName, string> = {
  health: '',
  live: '/live',
  ready: '/ready',
  performance: '/database-performance',
}

const shapes: Record<PageName, Shape> = {
  health: healthShape,
  live: liveShape,
  ready: readyShape,
  performance: performanceShape,
}

export interface Checked {
  readonly check: Check
  /** Of the performance page, if it was ours. */
  readonly page: PerformancePage | null
}

export interface Asked {
  readonly page: PageName
  readonly path: string
  readonly answer: Answer
  readonly tookMs: number
  /** Whether a token was sent. */
  readonly token: boolean
}

export function check({ page, path, answer, tookMs, token }: Asked): Checked {
  const result = (
    verdict: Verdict,
    summary: string,
    findings: string[],
    found?: PerformancePage,
  ): Checked => ({
    check: {
      ...{ path, verdict, tookMs, summary, findings },
      status: answer.kind === 'answered' ? answer.status : null,
    },
    page: found ?? null,
  })
  switch (answer.kind) {
    case 'cancelled':
      return result('unhealthy', 'stopped', ['stopped before the answer came'])
    case 'timed out':
      return result('unhealthy', 'no answer', [`no answer within ${Math.round(tookMs)} ms`])
    case 'failed':
      return result('unhealthy', 'no answer', [
        answer.why === answer.detail ? answer.why : `${answer.why} (${answer.detail})`,
      ])
    case 'answered':
      break
    default:
      return answer satisfies never
  }
  const foreign = notOurs(page, answer, token)
  if (foreign) return result(foreign.verdict, foreign.summary, foreign.findings)
  const body = JSON.parse(answer.body)
  const findings = [...cacheFindings(answer), ...statusFindings(answer, body)]
  if (page === 'performance') {
    const found = readPerformancePage(body)
    findings.push(...routeFindings(found))
    return result(findings.length ? 'unhealthy' : 'healthy', routeSummary(found), findings, found)
  }
  if (page === 'ready' && body.ready !== true) findings.push(`not ready: ${body.reason ?? 'no reason given'}`)
  if (page === 'live' && body.alive !== true) findings.push('says that it is not alive')
  const summary = page === 'ready' && body.route ? `ready, by the ${body.route} route` : `${body.status}`
  return result(findings.length ? 'unhealthy' : 'healthy', summary, findings)
}

/** What says that this is not the page, or null if it is. */
function notOurs(
  page: PageName,
  answer: Answered,
  token: boolean,
): { verdict: Verdict; summary: string; findings: string[] } | null {
  const { status, headers, body } = answer
  const what = described(answer)
  if (status >= 300 && status < 400) {
    return foreign(
      'redirect',
      `a redirect (${status}) to ${short(headers.location ?? 'nowhere', 200)}: give the URL it leads to`,
    )
  }
  if (status === 401 || status === 403) {
    const remedy = token
      ? 'the token was not accepted'
      : 'it wants a token: --token, or SLUICE_HEALTH_TOKEN in the environment'
    return foreign('refused', `${status}: ${remedy}`)
  }
  const json = parsed(body)
  const fields = json === undefined ? [] : misfits(shapes[page], json)
  const isOurs = json !== undefined && fields.length === 0
  if (status >= 500) {
    if (isOurs) return null
    return { verdict: 'unhealthy', summary: 'server error', findings: [`${status}, with ${what}`] }
  }
  if (status === 429) {
    return { verdict: 'unhealthy', summary: 'too many requests', findings: ['429: too many requests'] }
  }
  if (status !== 200) return foreign('not there', `${status}, with ${what}: the page is not there`)
  if (json === undefined) return foreign('not JSON', `200, but with ${what}: not the page's JSON`)
  return isOurs ? null : { verdict: 'not ours', summary: 'another JSON', findings: fields }
}

const foreign = (summary: string, finding: string) => ({
  verdict: 'not ours' as const,
  summary,
  findings: [finding],
})

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

function described({ headers, body, cut }: Answered): string {
  const type = headers['content-type']
  if (/^\s*(<!doctype html|<html)/i.test(body) || type?.includes('html')) {
    const title = titleOf(body)
    return title ? `an HTML page ("${short(title)}")` : 'an HTML page'
  }
  const encoding = headers['content-encoding']
  if (encoding) return `a compressed answer (${short(encoding)}), which was not asked for`
  if (body.trim() === '') return 'an empty answer'
  const kind = parsed(body) === undefined ? (type?.split(';')[0] ?? 'a text without a type') : 'a JSON'
  return `${kind}${cut ? ` of more than ${longestBody / 1024} kB` : ''}: ${short(body)}`
}

/** Searched and not matched: a pattern for all of it takes for ever on a page made for that. */
function titleOf(body: string): string {
  const from = body.search(/<title/i)
  const text = from < 0 ? -1 : body.indexOf('>', from) + 1
  const to = text > 0 ? body.indexOf('<', text) : -1
  return to < 0 ? '' : body.slice(text, to).trim()
}

function short(text: string, longest = 60): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > longest ? `${line.slice(0, longest)}...` : line
}

const cacheFindings = ({ headers }: Answered): string[] =>
  /\bno-store\b/i.test(headers['cache-control'] ?? '')
    ? []
    : [
        `Cache-Control is ${headers['cache-control'] ? `"${short(headers['cache-control'])}"` : 'missing'}, no-store expected: a cache may answer in its place`,
      ]

function statusFindings({ status }: Answered, body: { status?: unknown }): string[] {
  if (status >= 500) return [`answered ${status}`]
  return body.status === 'error' ? ['answered 200 with status "error"'] : []
}

/** Whether the route is the one that the binding promises. */
function routeFindings(page: PerformancePage): string[] {
  const { usingHyperdrive, bindingAvailable, connectionType, routes } = page
  if (connectionType === 'Unavailable') return ['no query was answered']
  const findings: string[] = []
  if (bindingAvailable && !usingHyperdrive) {
    const route = routes.find(({ name }) => name === 'hyperdrive')
    const breaker = route && route.breaker !== 'closed' ? `; its breaker is ${route.breaker}` : ''
    const trial = breaker && route?.nextTrial ? `, next trial at ${route.nextTrial}` : ''
    findings.push(`the HYPERDRIVE binding is there, but the queries went directly${breaker}${trial}`)
  }
  if (usingHyperdrive && !bindingAvailable) {
    findings.push('says usingHyperdrive, but also that there is no binding')
  }
  if (usingHyperdrive !== /hyperdrive/i.test(connectionType)) {
    findings.push(`usingHyperdrive is ${usingHyperdrive}, but connectionType is "${short(connectionType)}"`)
  }
  return findings
}

const routeSummary = ({ connectionType, queryLatency }: PerformancePage): string =>
  `${short(connectionType)}${queryLatency === null ? '' : `, query ${short(queryLatency)}`}`
