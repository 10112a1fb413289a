/** The programs of a benchmark: started, ended, and asked how much CPU they have taken. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'

export interface Program extends AsyncDisposable {
  readonly pid: number
}

/** How long a program may take to be ready. */
const startMs = 10_000

/**
 * Starts a program and waits for the line by which it says that it is ready, on its stderr.
 *
 * @returns the program, and what the pattern found in that line
 */
export async function startProgram(
  [file, ...words]: readonly [string, ...string[]],
  ready: RegExp,
  { env = process.env, cwd }: { env?: NodeJS.ProcessEnv; cwd: string },
): Promise<{ program: Program; said: RegExpExecArray }> {
  const child = spawn(file, words, { env, cwd, stdio: ['ignore', 'ignore', 'pipe'] })
  const said = await firstLine(child, ready).catch(async error => {
    await end(child)
    throw new Error(`${file} did not start: ${error.message}`, { cause: error })
  })
  const program = { pid: child.pid!, [Symbol.asyncDispose]: () => end(child) }
  return { program, said }
}

function firstLine(child: ChildProcess, ready: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const heard: string[] = []
    const timer = setTimeout(
      () => reject(new Error(`not ready after ${startMs} ms\n${heard.join('\n')}`)),
      startMs,
    ).unref()
    child.once('error', reject)
    child.once('exit', () => reject(new Error(heard.join('\n'))))
    // Read on to the end: a full pipe would stop the program.
    createInterface(child.stderr!).on('line', line => {
      if (heard.length < 20) heard.push(line)
      const found = ready.exec(line)
      if (!found) return
      clearTimeout(timer)
      resolve(found)
    })
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  await gone
}

/**
 * Microseconds of CPU that a process has taken so far, with all its threads and all that it started, in user and in
 * kernel mode. Null where there is no /proc.
 */
export async function cpuUs(pid: number): Promise<number | null> {
  const all = await processes()
  if (!all.has(pid)) return null
  const isOf = (each: number): boolean => each === pid || (all.has(each) && isOf(all.get(each)!.parent))
  const ticks = [...all].filter(([each]) => isOf(each)).map(([, process]) => process.ticks)
  return ticks.reduce((sum, each) => sum + each, 0) * usPerTick
}

/** Microseconds of CPU that the machine has given to anything; null where there is no /proc. */
export async function machineCpuUs(): Promise<number | null> {
  const stat = await readFile('/proc/stat', 'latin1').catch(() => null)
  if (stat === null) return null
  const [user, nice, system, , , irq, softirq] = stat.split('\n')[0]!.split(/ +/).slice(1).map(Number)
  return (user! + nice! + system! + irq! + softirq!) * usPerTick
}

/** USER_HZ, which is 100 for every program on Linux, whatever the kernel ticks at. */
const usPerTick = 10_000

/** `ticks` includes those of children that have ended. */
async function processes(): Promise<Map<number, { parent: number; ticks: number }>> {
  const names = await readdir('/proc').catch(() => [])
  const read = names
    .filter(name => /^\d+$/.test(name))
    .map(async name => {
      // It may have ended since.
      const stat = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => null)
      if (stat === null) return []
      // The name, in parentheses, may hold anything. Behind it: state is field 3, ppid 4, utime to cstime 14 to 17.
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number)
      const ticks = fields[11]! + fields[12]! + fields[13]! + fields[14]!
      return [[Number(name), { parent: fields[1]!, ticks }] as const]
    })
  return new Map((await Promise.all(read)).flat())
}
