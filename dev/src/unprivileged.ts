/**
 * As whom PostgreSQL's programs run.
 *
 * They refuse to run as root, because a hole in the server would then be a hole in the machine. Containers and small
 * servers are root nevertheless, and a newcomer's `npm start` should work there without leaving a system user behind.
 *
 *     not root ───────────────────────▶ as ourselves
 *     root, namespaces allowed ───────▶ in a user namespace: there we are "nobody", outside the files stay root's
 *     root, namespaces refused ───────▶ as "nobody" itself (Docker's default profile refuses namespaces)
 *
 * In the namespace the process has no capability of root left, but it still owns root's files: a clone below root's
 * home, which is closed to others, works. "nobody" can't reach such a clone; for it programs and data go to /var/tmp.
 * Which of the two works is tried, not guessed: kernels, containers and security modules each have their switch.
 *
 * `nobody`, not a number out of the air: initdb looks the user's name up.
 */
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, cp, lchown, lstat, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type Binaries, program } from './binaries.ts'
import { notOurFolder, rootCannotRun } from './failure.ts'

const run = promisify(execFile)

export interface Account {
  /** What a person should know about it, or null. */
  note: string | null
  binaries: Binaries
  /** Where the data folder is: as asked for, or elsewhere when the account can't reach that. */
  dataFolder: string
  /** The command as this account runs it. */
  command(file: string, words: string[]): { file: string; words: string[]; uid?: number; gid?: number }
  /** Hands a folder of ours, with all that is in it, to the account. */
  give(path: string): Promise<void>
}

type Way = Pick<Account, 'command' | 'give'>

/** Finds out as whom PostgreSQL can run with its data in `dataFolder`, whose parent exists. */
export async function accountFor(dataFolder: string, binaries: Binaries): Promise<Account> {
  const asked = { note: null, binaries, dataFolder }
  if (process.getuid?.() !== 0) return { ...asked, ...asOurselves }

  const nobody = idsOfNobody()
  if (nobody === null) throw rootCannotRun()

  const parent = dirname(dataFolder)
  const namespace = inNamespace(nobody)
  if (await works(namespace, binaries, parent)) return { ...asked, ...namespace }

  const note = 'PostgreSQL runs as "nobody", because it refuses to run as root'
  const other = asOther(nobody)
  if (await works(other, binaries, parent)) return { ...asked, ...other, note }

  const shared = await ownFolder('/var/tmp/sluice-root')
  const reachable = { ...asked, ...other, note, binaries: await copyOf(binaries, shared) }
  if (await works(other, reachable.binaries, parent)) return reachable
  if (!(await works(other, reachable.binaries, shared))) throw rootCannotRun()
  return {
    ...reachable,
    dataFolder: join(shared, createHash('sha256').update(dataFolder).digest('hex').slice(0, 12)),
    note: `${note}, with its data below ${shared}, because "nobody" can't reach ${parent}`,
  }
}

const asOurselves: Way = {
  command: (file, words) => ({ file, words }),
  give: async () => {},
}

const inNamespace = (nobody: Ids): Way => ({
  // unshare becomes the program, so the process id that we see is the program's.
  command: (file, words) => ({
    file: 'unshare',
    words: ['--user', `--map-user=${nobody.uid}`, `--map-group=${nobody.gid}`, '--', file, ...words],
  }),
  give: folder => giveTo({ uid: 0, gid: 0 }, folder),
})

const asOther = ({ uid, gid }: Ids): Way => ({
  command: (file, words) => ({ file, words, uid, gid }),
  give: folder => giveTo({ uid, gid }, folder),
})

async function giveTo({ uid, gid }: Ids, folder: string): Promise<void> {
  const names = await readdir(folder, { recursive: true })
  const owned = await Promise.all(
    ['', ...names].map(async name => ({ name, owner: (await lstat(join(folder, name))).uid })),
  )
  await Promise.all(
    owned.filter(({ owner }) => owner !== uid).map(({ name }) => lchown(join(folder, name), uid, gid)),
  )
}

interface Ids {
  uid: number
  gid: number
}

function idsOfNobody(): Ids | null {
  try {
    const id = (which: string) =>
      Number(execFileSync('id', [which, 'nobody'], { encoding: 'utf8', stdio: 'pipe' }))
    return { uid: id('-u'), gid: id('-g') }
  } catch {
    return null
  }
}

/** Can the programs be run this way, and is a folder below `parent` in reach once it is handed over? */
async function works(way: Way, binaries: Binaries, parent: string): Promise<boolean> {
  const probe = join(parent, `.probe-${process.pid}`)
  try {
    await mkdir(probe)
    await way.give(probe)
    const script = 'cd "$1" && test -w . && "$2" --version && "$3" --version'
    const { file, words, ...as } = way.command('/bin/sh', [
      ...['-c', script, 'sh', probe],
      ...[program(binaries, 'initdb'), program(binaries, 'postgres')],
    ])
    await run(file, words, { ...as, cwd: '/' })
    return true
  } catch {
    return false
  } finally {
    await rm(probe, { recursive: true, force: true })
  }
}

/**
 * A folder of root's in a place where everybody may write. Somebody else may have made it before us, as a trap: what
 * it holds is run by root's orders.
 */
async function ownFolder(folder: string): Promise<string> {
  await mkdir(folder, { mode: 0o755 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  const { uid, mode } = await lstat(folder)
  const isFolder = (mode & 0o170000) === 0o040000
  if (!isFolder || uid !== 0 || (mode & 0o022) !== 0) throw notOurFolder(folder)
  // mkdir's mode went through the umask, which is 077 on hardened systems.
  await chmod(folder, 0o755)
  return folder
}

async function copyOf(binaries: Binaries, shared: string): Promise<Binaries> {
  const copy = { ...binaries, folder: join(shared, `postgresql-${binaries.version}`) }
  if (await exists(copy.folder)) return copy
  const half = `${copy.folder}.${process.pid}`
  await cp(binaries.folder, half, { recursive: true, verbatimSymlinks: true })
  await run('chmod', ['-R', 'u=rwX,go=rX', half])
  await rename(half, copy.folder).catch(async error => {
    await rm(half, { recursive: true, force: true })
    // Another start was faster: its copy is as good.
    if (!(await exists(copy.folder))) throw error
  })
  return copy
}

const exists = (path: string) =>
  lstat(path).then(
    () => true,
    () => false,
  )
