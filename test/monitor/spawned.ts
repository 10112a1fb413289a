/** The monitor as somebody starts it: a process, its words, what it writes and its exit code. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Report } from '../../packages/gateway/src/monitor/report.ts'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const script = `${root}monitoring/performance/hyperdrive-monitor.sh`
const entry = `${root}packages/gateway/src/cli/sluice.ts`

export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

export interface StartOptions {
  /** Without it: the command, run by the Node that runs the tests. */
  command?: string
  cwd?: string
  env?: Record<string, string>
}

export function startMonitor(words: string[], { command, cwd, env = {} }: StartOptions = {}) {
  const [file, all] = command ? [command, words] : [process.execPath, [entry, 'monitor', ...words]]
  const child = spawn(file, all, {
    cwd: cwd ?? root,
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]).then(
    ([stdout, stderr, [code]]): Ended => ({ code: code as number | null, stdout, stderr }),
  )
  return { child, ended }
}

export const runMonitor = (words: string[], options?: StartOptions): Promise<Ended> =>
  startMonitor(words, options).ended

/** Its one document on stdout. */
export async function reportOf(words: string[], options?: StartOptions): Promise<Report> {
  const { code, stdout, stderr } = await runMonitor([...words, '--json'], options)
  if (!stdout.startsWith('{')) throw new Error(`no document on stdout; exit code ${code}: ${stdout}${stderr}`)
  const report = JSON.parse(stdout) as Report
  if (report.exitCode !== code) throw new Error(`the report says ${report.exitCode}, the process ${code}`)
  return report
}
