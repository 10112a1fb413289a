/**
 * Which process is meant.
 *
 * A process id alone is not a name: after a restart, and above all in containers, the same small number belongs to
 * something else. Together with the moment of birth it is one. So whatever is written down for a later start to find
 * (lock.ts) is both, and a process is only ever ended when both still fit.
 */
import { type ChildProcess, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

export interface ProcessId {
  pid: number
  born: string
}

export function processId(pid: number): ProcessId | null {
  const born = birth(pid)
  return born === null ? null : { pid, born }
}

export const isRunning = (process: ProcessId): boolean => birth(process.pid) === process.born

/** What a process was started with, or '' where that can't be seen. */
export function commandLine(pid: number): string {
  try {
    if (process.platform === 'linux')
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    return ask('ps', ['-ww', '-o', 'command=', '-p', `${pid}`])
  } catch {
    return ''
  }
}

export function children(pid: number): number[] {
  try {
    const list =
      process.platform === 'linux'
        ? readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
        : ask('pgrep', ['-P', `${pid}`])
    return list.split(/\s+/).filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** Sends the signals in turn, each with its time to take effect, until the process is gone. */
export async function end(
  target: ProcessId,
  steps: { signal: NodeJS.Signals; waitMs: number }[],
): Promise<void> {
  for (const { signal, waitMs } of steps) {
    if (!isRunning(target)) return
    send(target.pid, signal)
    if (await isGone(target, waitMs)) return
  }
}

/** Fulfilled when a child of ours is gone, or could not be started: with how it ended. */
export const endOf = (child: ChildProcess): Promise<string> =>
  new Promise(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ? `signal ${signal}` : `exit code ${code}`))
  })

/** A signal to a process that may be gone already. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

// Not our child, so no event tells of its end.
export async function isGone(target: ProcessId, waitMs: number): Promise<boolean> {
  for (const until = Date.now() + waitMs; Date.now() < until; await pause(20)) {
    if (!isRunning(target)) return true
  }
  return !isRunning(target)
}

function birth(pid: number): string | null {
  try {
    if (process.platform === 'linux') {
      // After the name, which may itself hold spaces and brackets: state, ppid, …, starttime (proc_pid_stat(5)).
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return fields[0] === 'Z' ? null : `${bootId()} ${fields[19]}`
    }
    if (process.platform === 'win32') {
      process.kill(pid, 0)
      return 'unknown'
    }
    return ask('ps', ['-o', 'lstart=', '-p', `${pid}`]) || null
  } catch {
    return null
  }
}

const bootId = () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()

const ask = (command: string, words: string[]) =>
  execFileSync(command, words, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, LC_ALL: 'C' },
  }).trim()
