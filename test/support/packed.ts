/**
 * The packages as they are published, and projects outside the repository that have installed them.
 *
 *     const packed = await packPackages()
 *     const project = await packed.project({ installed: ['drizzle-orm', 'pg'], files: { 'a.ts': '…' } })
 *
 * What is installed beside them is linked from the repository's node_modules: nothing is fetched. The links lead back
 * into the repository, where each package finds what it depends on; `@sluice/*` are real folders, so that they find
 * nothing but what the project has.
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { pack, packages } from '../../scripts/pack.ts'

export const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Packed extends AsyncDisposable {
  /** Package → its tarball. */
  tarballs: Record<(typeof packages)[number], string>
  /** A folder that is gone with the rest. */
  project(has: { installed: string[]; files: Record<string, string> }): Promise<string>
}

export async function packPackages(): Promise<Packed> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-packed-'))
  await pack(name => join(folder, name))
  const tarballs = {} as Packed['tarballs']
  for (const name of packages) {
    const { output } = await run('npm', ['pack', join(folder, name), '--json'], folder)
    tarballs[name] = join(folder, JSON.parse(output.slice(output.indexOf('[')))[0].filename)
  }
  let projects = 0
  return {
    tarballs,
    async project({ installed, files }) {
      const project = join(folder, `project-${++projects}`)
      const modules = join(project, 'node_modules')
      for (const name of packages) {
        const own = join(modules, '@sluice', name)
        await mkdir(own, { recursive: true })
        await run('tar', ['-xzf', tarballs[name], '-C', own, '--strip-components=1'], folder)
      }
      for (const name of installed) {
        await mkdir(dirname(join(modules, name)), { recursive: true })
        await symlink(join(root, 'node_modules', name), join(modules, name))
      }
      const all = { 'package.json': '{ "type": "module", "private": true }', ...files }
      for (const [name, text] of Object.entries(all)) await writeFile(join(project, name), text)
      return project
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

export interface Ended {
  /** 0 if it went well. */
  code: number
  /** Both streams, without colours. */
  output: string
}

/** Runs a command to its end. */
export async function tryRun(command: string, words: string[], cwd: string, env = {}): Promise<Ended> {
  const options = { cwd, env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', ...env } }
  const { stdout, stderr, code } = await promisify(execFile)(command, words, options).then(
    result => ({ ...result, code: 0 }),
    error => error as { stdout: string; stderr: string; code: number },
  )
  return { code, output: stdout + stderr }
}

/** Runs a command that must go well. */
export async function run(command: string, words: string[], cwd: string, env = {}): Promise<Ended> {
  const ended = await tryRun(command, words, cwd, env)
  if (ended.code !== 0)
    throw new Error(`${command} ${words.join(' ')} ended with ${ended.code}:\n${ended.output}`)
  return ended
}

/** The path of a command that the repository has installed. */
export const bin = (name: string): string => join(root, 'node_modules/.bin', name)
