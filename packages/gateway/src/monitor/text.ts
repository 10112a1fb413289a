/**
 * The report as people read it: sections from what was checked to what to do, the verdict last, where a terminal
 * leaves off. Each figure says what it is.
 *
 * On a terminal with colours and block characters; elsewhere (a pipe, a CI's log, cron's mail) without, in ASCII.
 */
import type { Benchmark } from './benchmark.ts'
import type { Check, Verdict } from './checks.ts'
import { type LatencyFigures, percentileOf } from './latencies.ts'
import {
  harmless,
  indent,
  type Line,
  paragraph,
  print,
  type Span,
  type Style,
  shortened,
  table,
  tableRows,
} from './layout.ts'
import type { PageLatency, PerformancePage } from './performance-page.ts'
import type { Report } from './report.ts'
import type { ThresholdResult } from './thresholds.ts'
import { ms, ofAll, percent, plural, rate, workerMs } from './units.ts'

export interface Look {
  /** Columns of the terminal. */
  readonly width: number
  readonly colour: boolean
  /** Block characters for bars; otherwise ASCII. */
  readonly blocks: boolean
}

/** Narrower than this, figures would fall apart. Wider than that, eyes lose the line. */
const [narrowest, widest] = [70, 120]

export function textOf(given: Report, look: Look): string {
  const report = readable(given, !look.blocks)
  const width = Math.min(widest, Math.max(narrowest, look.width))
  const { benchmark, page, noBenchmark, thresholds, recommendations } = report
  const parts: Line[][] = [
    title(report, width),
    section('Checks', checks(report.checks, width)),
    benchmark
      ? section('Benchmark', benchmarkLines(benchmark, { ...look, width }))
      : section('Benchmark', paragraph([indent], `not run: ${noBenchmark}`, width)),
    page || benchmark?.split ? section('Connection', connection(page, benchmark, width)) : [],
    benchmark && thresholds.length > 0 ? section('Thresholds', thresholdLines(thresholds, width)) : [],
    page && page.recommendations.length > 0
      ? section(
          'The page recommends',
          page.recommendations.flatMap(text => paragraph([indent, '- '], text, width)),
        )
      : [],
    section(
      'Recommendations',
      recommendations.length > 0
        ? recommendations.flatMap(({ figure, advice }) => [
            ...paragraph([indent, '- '], ['bold', figure], width),
            ...paragraph([indent, '  '], advice, width),
          ])
        : paragraph([indent], nothingToDo(benchmark, page), width),
    ),
    verdict(report, width),
  ]
  return print(
    parts.filter(part => part.length > 0).flatMap((part, at) => (at === 0 ? part : [[], ...part])),
    look.colour,
  )
}

/** Every text of it, since most of them may hold what a server said. */
const readable = (report: Report, ascii: boolean): Report =>
  JSON.parse(JSON.stringify(report), (_, value) =>
    typeof value === 'string' ? harmless(value, ascii) : value,
  )

const section = (name: string, lines: Line[]): Line[] => [[['bold', name]], ...lines]

function title({ url, startedAt, finishedAt, interrupted }: Report, width: number): Line[] {
  const took = (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000
  const note = interrupted ? ', interrupted: what was measured until then' : ''
  const when = `${startedAt.slice(0, 19).replace('T', ' ')} UTC, ${took.toFixed(1)} s${note}`
  return [[['bold', shortened(url, width)]], ...paragraph([], ['dim', when], width)]
}

const verdictStyle: Record<Verdict, Style> = { healthy: 'green', unhealthy: 'red', 'not ours': 'yellow' }
const checkWord: Record<Verdict, string> = { healthy: 'ok', unhealthy: 'FAIL', 'not ours': 'NOT OURS' }

function checks(all: readonly Check[], width: number): Line[] {
  const rows = all.map(
    ({ path, verdict, status, tookMs, summary }): Line => [
      [verdictStyle[verdict], checkWord[verdict]],
      shortened(path, Math.floor(width / 2)),
      status === null ? '-' : `${status}`,
      ms(tookMs),
      summary,
    ],
  )
  return tableRows(rows, ['left', 'left', 'right', 'right', 'left'], width).flatMap((lines, at) => [
    ...lines,
    ...all[at]!.findings.flatMap(finding => paragraph([indent, indent, '- '], finding, width)),
  ])
}

function benchmarkLines(run: Benchmark, look: Look): Line[] {
  const { plan, loop, warmUp, keepAlive, requests, succeeded, cancelled, ended, ownDelayMs } = run
  const { width } = look
  const say = (text: Span) => paragraph([indent], text, width)
  const connections = plural(plan.concurrency, 'connection')
  const how =
    loop === 'closed'
      ? `closed loop, ${connections}: each sends its next request when it has its answer, so a stall is seen once a connection; latency counts from sending`
      : `${rate(plan.ratePerSecond!)}, up to ${connections}: latency counts from when each request was due, so a stall is seen by all that fell due in it`
  const done = `${plural(requests, 'request')} in ${ms(run.tookMs)}, ${rate(run.answersPerSecond)} answered; time-out ${ms(plan.timeoutMs)}`
  const before = [
    warmUp.requests > 0
      ? `${plural(warmUp.requests, 'request')} to warm up, in no figure${warmUp.failed ? ` (${warmUp.failed} failed)` : ''}`
      : 'no warm-up',
    keepAlive ? 'connections kept alive' : 'a new connection for each request',
  ]
  const notes = [
    ended === 'hopeless' && `given up: the first ${requests} requests all failed`,
    ended === 'stopped' &&
      `stopped before its end${cancelled ? `; ${plural(cancelled, 'was', 'were')} under way, in no figure` : ''}`,
    loop === 'open' &&
      ownDelayMs >= 1 &&
      `the monitor itself was up to ${ms(ownDelayMs)} late to send, which is part of the latency`,
  ].filter(note => note !== false)
  return [
    ...say(`GET ${shortened(run.path, width - 6)}`),
    ...say(done),
    ...say(how),
    ...say(before.join('; ')),
    ...notes.flatMap(note => say(['yellow', note])),
    [],
    ...(succeeded > 0
      ? latencyLines(run, look)
      : say(['red', 'no request succeeded, so there is no latency'])),
    [],
    ...answers(run, width),
  ]
}

function latencyLines(
  { bars, latency, succeeded, loop, service }: Benchmark,
  { width, blocks }: Look,
): Line[] {
  const most = Math.max(...bars.map(({ count }) => count))
  const counted = `${most}`.length
  const labels = bars.map(({ fromMs, toMs }) => `${edge(fromMs)} - ${edge(toMs)} ms`)
  const label = Math.max(...labels.map(({ length }) => length))
  const room = width - indent.length - label - 2 - 2 - counted
  const from = loop === 'open' ? 'from when each was due' : 'from sending'
  return [
    ...paragraph(
      [indent],
      `Latency of ${plural(succeeded, 'successful request')}, ${from} to the last byte`,
      width,
    ),
    ...bars.map(
      ({ count }, at): Line => [
        indent,
        labels[at]!.padStart(label),
        '  ',
        `${count}`.padStart(counted),
        '  ',
        ['cyan', bar(count / most, room, blocks)],
      ],
    ),
    [],
    ...table(
      [
        ...latency.percentiles.map(
          ({ percentile, ms: value, slower }): Line => [
            ['bold', `p${percentile}`],
            ms(value),
            ['dim', slower === 0 ? 'none slower' : `${slower} slower`],
          ],
        ),
        [['bold', 'max'], ms(latency.max), ['dim', 'the slowest']],
        [['bold', 'mean'], ms(latency.mean), ['dim', `the fastest took ${ms(latency.min)}`]],
      ],
      ['left', 'right', 'left'],
      width,
    ),
    ...(loop === 'open'
      ? paragraph(
          [indent],
          `From sending, as a closed loop would count: p50 ${ms(percentileOf(service, 50).ms)}, p99 ${ms(percentileOf(service, 99).ms)}, max ${ms(service.max)}`,
          width,
        )
      : []),
  ]
}

/** Round by construction; without the noise of binary fractions. */
const edge = (value: number) => `${Number(value.toPrecision(3))}`

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

function bar(part: number, room: number, blocks: boolean): string {
  if (part <= 0 || room <= 0) return ''
  if (!blocks) return '#'.repeat(Math.max(1, Math.round(part * room)))
  const units = Math.max(1, Math.round(part * room * 8))
  return '█'.repeat(Math.floor(units / 8)) + eighths[units % 8]
}

function answers(
  { statuses, errors, timedOut, expired, failed, requests, plan, loop }: Benchmark,
  width: number,
): Line[] {
  const row = (style: Style, what: string, count: number, note: string): Line => [
    [style, what],
    `${count}`,
    ofAll(count, requests),
    ['dim', note],
  ]
  return [
    ...table(
      [
        ...statuses.map(({ what, count }) =>
          what.startsWith('2')
            ? row('green', what, count, 'in the latency')
            : row('red', what, count, 'failed'),
        ),
        ...errors.map(({ what, count }) =>
          row('red', shortened(what, Math.floor(width / 2)), count, 'failed'),
        ),
        ...(timedOut
          ? [
              row(
                'red',
                'timed out',
                timedOut,
                `no answer within ${ms(plan.timeoutMs)}${loop === 'open' ? ' of being due' : ''}`,
              ),
            ]
          : []),
        ...(expired
          ? [row('red', 'never sent', expired, `no connection free within ${ms(plan.timeoutMs)}`)]
          : []),
      ],
      ['left', 'right', 'right', 'left'],
      width,
    ),
    ...paragraph(
      [indent],
      failed === 0
        ? 'no failures, no time-outs'
        : `${failed} of ${requests} failed (${ofAll(failed, requests)}); they are in no latency`,
      width,
    ),
  ]
}

function connection(page: PerformancePage | null, run: Benchmark | null, width: number): Line[] {
  const groups = [
    page ? pageLines(page, run, width) : [],
    run ? splitLines(run, width) : [],
    page ? compared(page, width) : [],
  ]
  return groups.filter(group => group.length > 0).flatMap((group, at) => (at === 0 ? group : [[], ...group]))
}

function pageLines(page: PerformancePage, run: Benchmark | null, width: number): Line[] {
  const { connections, sockets, routes } = page
  const rows: [string, string][] = [
    ['route', `${page.connectionType}; the binding is ${page.bindingAvailable ? 'there' : 'not there'}`],
  ]
  if (run && run.routes.length > 0) {
    rows.push([
      'measured by',
      run.routes.map(({ what, count }) => `${plural(count, 'answer')} by ${what}`).join(', '),
    ])
  }
  for (const { name, breaker, nextTrial, fallbacks, lastError } of routes) {
    const parts = [
      `breaker ${breaker}`,
      nextTrial && `next trial at ${nextTrial}`,
      `${fallbacks} fell back`,
      lastError && `last error ${lastError}`,
    ]
    rows.push([name, parts.filter(Boolean).join(', ')])
  }
  rows.push([
    'handles',
    `${connections.totalConnections}: ${connections.hyperdriveConnections} Hyperdrive, ${connections.directConnections} direct; ${connections.drizzleInstances} Drizzle`,
  ])
  if (sockets) {
    const { open, opened, reused, failed } = sockets
    rows.push([
      'sockets',
      `${open} open; ${opened} opened, ${reused} reused, ${failed} failed since the isolate's start`,
    ])
  }
  return table(
    rows.map(([name, text]): Line => [['dim', name], text]),
    ['left', 'left'],
    width,
  )
}

const latencyHead: Line = ['', 'p50', 'p95', 'p99', 'max', 'answers'].map((text): Span => ['dim', text])

const latencyColumns = ['left', 'right', 'right', 'right', 'right', 'right'] as const

function splitLines({ split, service }: Benchmark, width: number): Line[] {
  if (!split) {
    const text = 'no Server-Timing in the answers: network, connect and query are not told apart'
    return paragraph([indent], ['dim', text], width)
  }
  const row = (name: string, of: LatencyFigures, written: (value: number | null) => string): Line => [
    name,
    ...([50, 95, 99] as const).map(wanted => written(percentileOf(of, wanted).ms)),
    written(of.max),
    `${of.count}`,
  ]
  return [
    ...paragraph([indent], 'Where the time goes, from sending (Server-Timing)', width),
    ...table(
      [
        latencyHead,
        row('network and Worker', split.network, ms),
        ...(split.connect.count > 0 ? [row('connect, login too', split.connect, workerMs)] : []),
        row('query', split.query, workerMs),
        row('all of it', service, ms),
      ],
      latencyColumns,
      width,
    ),
    ...(split.connect.count === 0
      ? paragraph([indent], 'no answer opened a connection to the database', width)
      : []),
  ]
}

/** The page's own figures: of both routes, if it knows both. */
function compared({ routes }: PerformancePage, width: number): Line[] {
  const known = ['hyperdrive', 'direct'].flatMap(name => routes.filter(route => route.name === name))
  const measured = known.filter(({ queryLatency }) => queryLatency !== null)
  if (measured.length === 0) return []
  const cells = (latency: PageLatency | null): string[] =>
    latency
      ? [...[latency.p50, latency.p95, latency.p99, latency.max].map(workerMs), `${latency.count}`]
      : ['-', '-', '-', '-', '0']
  const missing = ['hyperdrive', 'direct'].filter(name => !measured.some(route => route.name === name))
  return [
    ...paragraph([indent], 'Direct against Hyperdrive: the last queries of the isolate that answered', width),
    ...table(
      [
        [...latencyHead.slice(0, 5), ['dim', 'queries']],
        ...known.flatMap(({ name, queryLatency, connectLatency }): Line[] => [
          [`${name} query`, ...cells(queryLatency)],
          ...(connectLatency ? [[`${name} connect`, ...cells(connectLatency)]] : []),
        ]),
      ],
      latencyColumns,
      width,
    ),
    ...missing.flatMap(name =>
      paragraph([indent], `no query went by the ${name} route there, so it can't be compared`, width),
    ),
  ]
}

function thresholdLines(all: readonly ThresholdResult[], width: number): Line[] {
  const value = (of: number | null, { unit }: ThresholdResult) =>
    of === null ? 'not measured' : unit === 'ms' ? ms(of) : unit === '%' ? percent(of) : `${of}`
  return table(
    all.map(
      (each): Line => [
        each.kept ? ['green', 'ok'] : ['red', 'OVER'],
        each.unit === 'requests' ? 'failed requests' : each.figure,
        value(each.measured, each),
        `at most ${value(each.limit, each)}${each.isDefault ? ' (default)' : ''}`,
      ],
    ),
    ['left', 'left', 'right', 'left'],
    width,
  )
}

/** Reached without a finding only, so both were measured. */
function nothingToDo(run: Benchmark | null, page: PerformancePage | null): string {
  const failures = run
    ? `${ofAll(run.failed, run.requests)} failed, p95 ${ms(percentileOf(run.latency, 95).ms)}`
    : ''
  return ['none', failures, page?.connectionType].filter(Boolean).join('; ')
}

function verdict({ verdict, reasons, exitCode, benchmark }: Report, width: number): Line[] {
  const word = { healthy: 'HEALTHY', unhealthy: 'UNHEALTHY', 'not ours': 'NOT OUR ENDPOINTS' }[verdict]
  return [
    [
      [verdictStyle[verdict], word],
      ['dim', ` (exit code ${exitCode})`],
    ],
    // Without a benchmark the checks stand right above.
    ...(benchmark ? reasons.flatMap(reason => paragraph([indent, '- '], reason, width)) : []),
  ]
}
