/**
 * One start at a time per folder, and a way back to what a killed one left.
 *
 * The lock file names its holder and every process that the holder has spawned, each by id and moment of birth
 * (processes.ts), from the moment it exists. So a second start can say who runs, and the start after a crash knows
 * which PostgreSQL or workerd outlived its parent, without guessing by name or port.
 *
 *     absent ──link──▶ held ──release──▶ absent
 *                        └ holder died ──▶ stale ──rename away──▶ absent, its processes returned as `left`
 *
 * Both steps are atomic: `link` fails when the file exists, and of two starts that find the same stale file only one
 * can rename it away; the other finds it gone, or the first one's new lock, and starts over.
 */
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { isRunning, type ProcessId, processId } from './processes.ts'

interface Holder extends ProcessId {
  spawned: ProcessId[]
}

export interface Lock {
  /** Processes of an earlier holder that are still running. */
  left: ProcessId[]
  /** Writes down a process that this holder has spawned. */
  note(pid: number): Promise<void>
  release(): Promise<void>
}

/** Takes the lock, or gives the id of the process that has it. */
export async function takeLock(file: string): Promise<Lock | { heldBy: number }> {
  const self: Holder = { ...processId(process.pid)!, spawned: [] }
  const draft = `${file}.${self.pid}`
  const left: ProcessId[] = []
  let writing: Promise<void> = writeFile(draft, JSON.stringify(self), { mode: 0o600 })
  await writing

  while (!(await linked(draft, file))) {
    const holder = await readHolder(file)
    if (holder && isRunning(holder)) {
      await rm(draft)
      return { heldBy: holder.pid }
    }
    const aside = `${file}.stale.${self.pid}`
    if (!(await renamed(file, aside))) continue
    const moved = await readHolder(aside)
    if (moved && isRunning(moved)) {
      // Between our look and our rename another start took the lock: it gets it back.
      await linked(aside, file)
    } else {
      left.push(...(moved?.spawned ?? []).filter(isRunning))
    }
    await rm(aside)
  }
  await rm(draft)

  return {
    left,
    note(pid) {
      const spawned = processId(pid)
      if (spawned) self.spawned.push(spawned)
      writing = writing.then(async () => {
        await writeFile(draft, JSON.stringify(self), { mode: 0o600 })
        await rename(draft, file)
      })
      return writing
    },
    async release() {
      await writing
      await rm(file, { force: true })
    },
  }
}

const readHolder = (file: string): Promise<Holder | null> =>
  readFile(file, 'utf8')
    .then(JSON.parse)
    .catch(() => null)

const linked = (from: string, to: string) => unless('EEXIST', link(from, to))
const renamed = (from: string, to: string) => unless('ENOENT', rename(from, to))

/** False if it failed for this reason. */
const unless = (code: string, done: Promise<void>): Promise<boolean> =>
  done.then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === code) return false
      throw error
    },
  )
