/**
 * `sluice monitor`: reads the command line, hands HTTP, clock and terminal to the monitor, prints what comes out.
 *
 * The report goes to stdout, the live line to stderr: so the report can be piped while somebody watches. With --json
 * there is one document on stdout, whatever happened.
 */
import {
  type Look,
  monitor,
  openClient,
  type Progress,
  progressLine,
  systemClock,
  textOf,
} from '../monitor/index.ts'
import { readMonitorOptions, usage } from './monitor-options.ts'
import { devFile, runningStart } from './running-start.ts'
import { UsageError } from './usage-error.ts'

/** Gives the exit code. */
export async function runMonitor(words: string[]): Promise<number> {
  try {
    return await run(words)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    if (words.includes('--json')) {
      await write(documentOf({ version: 1, verdict: 'usage', exitCode: 2, reasons: [error.message] }))
    }
    console.error(`sluice monitor: ${error.message}. --help tells the options.`)
    return 2
  }
}

async function run(words: string[]): Promise<number> {
  const invocation = readMonitorOptions(words, process.env)
  if (invocation.wants === 'help') {
    console.log(usage)
    return 0
  }
  const { json, options } = invocation
  const url = invocation.url ?? (await runningStart(devFile)) ?? noUrl()
  const client = openClient({
    origin: new URL(url).origin,
    connections: options.concurrency,
    ...{ keepAlive: options.keepAlive, token: options.token },
  })
  const stop = new AbortController()
  // Again is the same, until the process has ended: npm and a shell may both pass one Ctrl-C on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())
  // Who watched has gone: the report is still wanted.
  process.stderr.on('error', () => {})
  const live = liveLine(process.stderr)
  try {
    const report = await monitor(
      { ...options, url },
      {
        ...{ ask: client.ask, clock: systemClock, date: () => new Date(), signal: stop.signal },
        onProgress: live.show,
      },
    )
    live.clear()
    const written = await write(
      json ? documentOf(report) : `\n${textOf(report, lookOf(process.stdout, invocation.colour))}`,
    )
    return written ? report.exitCode : Math.max(report.exitCode, 1)
  } finally {
    live.clear()
    await client.close()
  }
}

function noUrl(): never {
  throw new UsageError(
    'no URL was given, and no npm start runs in this clone: start it, or give the URL of your application',
  )
}

/** NO_COLOR counts if it is not empty (no-color.org). */
function lookOf(out: NodeJS.WriteStream, wanted: boolean): Look {
  const terminal = out.isTTY === true && process.env.TERM !== 'dumb'
  return {
    width: (terminal && out.columns) || 80,
    colour: terminal && wanted && !process.env.NO_COLOR,
    blocks: terminal,
  }
}

/** On a terminal one line that is redrawn; elsewhere a plain line for each phase. */
function liveLine(out: NodeJS.WriteStream) {
  let phase = ''
  let drawn = false
  const clear = () => {
    if (drawn) out.write('\r\u001b[K')
    drawn = false
  }
  const show = (progress: Progress) => {
    if (out.isTTY && process.env.TERM !== 'dumb') {
      out.write(`\r\u001b[K${progressLine(progress, out.columns || 80)}`)
      drawn = true
    } else if (progress.at !== phase) {
      out.write(`sluice monitor: ${progress.at}\n`)
    }
    phase = progress.at
  }
  return { show, clear }
}

/** In ASCII: what a server said stays as it was, and can't steer a terminal. */
const documentOf = (value: unknown): string =>
  `${JSON.stringify(value, null, 2).replace(/[\u007f-\uffff]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`

/**
 * A pipe may take its time, and the exit must not cut it; a reader that has gone (`| head`) is none of our business.
 * false: it could not be written, which is said.
 */
function write(text: string): Promise<boolean> {
  return new Promise(resolve => {
    // The stream tells of an error after the callback.
    process.stdout.on('error', () => {})
    process.stdout.write(text, error => {
      const code = (error as NodeJS.ErrnoException | null | undefined)?.code
      if (error && code !== 'EPIPE') console.error(`sluice monitor: the report can't be written (${code})`)
      resolve(!error || code === 'EPIPE')
    })
  })
}
