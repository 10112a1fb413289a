/**
 * A Worker on the published packages, built by the bundlers that people use, with whichever drivers are installed.
 *
 * Two promises: the build says nothing (no error, no warning) about the drivers that are not there, and the bundle
 * runs in workerd: with a driver that is there a query works, with another the error names the package to install.
 */
import { readFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { startWorker } from '@sluice/dev'
import { build as esbuild } from 'esbuild'
import { createBuilder, createLogger, esmExternalRequirePlugin } from 'vite'
import { afterAll, describe, expect, test } from 'vitest'
import { runtimeModules } from '../dev/src/bundle.ts'
import { NeonBridge } from './support/neon-bridge.ts'
import { bin, packPackages, tryRun } from './support/packed.ts'
import { freshDatabase } from './support/postgres.ts'

const packed = await packPackages()
afterAll(() => packed[Symbol.asyncDispose]())
const database = await freshDatabase()
const bridge = await NeonBridge.start(database.url)
afterAll(() => bridge.stop())

const packageOf = { pg: 'pg', postgres: 'postgres', neon: '@neondatabase/serverless' } as const
type Driver = keyof typeof packageOf
const drivers = Object.keys(packageOf) as Driver[]
const compatibilityDate = '2026-04-01'

const worker = `
import { createDatabaseManager } from '@sluice/edge'
export default {
  async fetch(request, env) {
    const driver = new URL(request.url).pathname.slice(1)
    const sql = createDatabaseManager({ driver, neon: env.NEON }).getConnection(env.DATABASE_URL)
    try {
      return Response.json([...await sql\`select 1 as n\`, ...await sql.transaction(tx => tx\`select 2 as n\`)])
    } catch ({ name, reason, message, hint }) {
      return Response.json({ name, reason, message, hint })
    }
  },
}`
const wranglerConfig = (flags: string[]) =>
  JSON.stringify({
    ...{ name: 'outside', main: 'worker.js', send_metrics: false },
    ...{ compatibility_date: compatibilityDate, compatibility_flags: flags },
  })

const projectWith = (installed: readonly Driver[], flags = ['nodejs_compat']) =>
  packed.project({
    installed: ['drizzle-orm', ...installed.map(driver => packageOf[driver])],
    files: { 'worker.js': worker, 'wrangler.json': wranglerConfig(flags) },
  })

interface Built {
  script: string
  /** What a user reads of errors and warnings. */
  complaints: string[]
}

const bundlers: Record<string, (project: string) => Promise<Built>> = {
  async wrangler(project) {
    const words = ['deploy', '--dry-run', '--outdir', 'out']
    const { code, output } = await tryRun(bin('wrangler'), words, project, { WRANGLER_LOG_PATH: project })
    const complaints = output.split('\n').filter(line => /error|warning|resolve|flag/i.test(line))
    if (code !== 0) return { script: '', complaints }
    return { script: await readFile(join(project, 'out/worker.js'), 'utf8'), complaints }
  },

  async esbuild(project) {
    const { outputFiles, errors, warnings } = await esbuild({
      entryPoints: [join(project, 'worker.js')],
      ...{ bundle: true, write: false, format: 'esm', platform: 'browser', logLevel: 'silent' },
      conditions: ['workerd', 'worker', 'browser'],
      plugins: [runtimeModules],
    })
    return { script: outputFiles[0]!.text, complaints: [...errors, ...warnings].map(({ text }) => text) }
  },

  async vite(project) {
    const complaints: string[] = []
    const note = (message: string) => void complaints.push(message)
    const builder = await createBuilder({
      root: project,
      configFile: false,
      logLevel: 'warn',
      customLogger: { ...createLogger('silent'), warn: note, warnOnce: note, error: note },
      environments: {
        worker: {
          consumer: 'server',
          // As Cloudflare's plugin for Vite sets them.
          resolve: {
            noExternal: true,
            conditions: ['workerd', 'worker', 'module', 'browser'],
            builtins: [...builtinModules, /^node:/, /^cloudflare:/],
          },
          build: {
            outDir: 'out-vite',
            target: 'es2024',
            rolldownOptions: {
              platform: 'neutral',
              // `pg` is CommonJS and requires built-in modules: there is no require() in workerd.
              plugins: [
                esmExternalRequirePlugin({ external: [...builtinModules], skipDuplicateCheck: true }),
              ],
              input: join(project, 'worker.js'),
              output: { codeSplitting: false, entryFileNames: '[name].js' },
              preserveEntrySignatures: 'strict',
            },
          },
        },
      },
    })
    await builder.build(builder.environments.worker!)
    return { script: await readFile(join(project, 'out-vite/worker.js'), 'utf8'), complaints }
  },
}

const start = (script: string, compatibilityFlags: string[]) =>
  startWorker({
    script,
    bindings: { DATABASE_URL: database.url, NEON: { ...bridge.settings, pipelineConnect: false } },
    miniflare: { compatibilityDate, compatibilityFlags },
  })

describe.each(Object.entries(bundlers))('built by %s', (_, bundle) => {
  test.each([...drivers.map(driver => [driver, [driver]] as const), ['all three', drivers] as const])(
    'a Worker with %s installed builds without a word, and runs',
    async (_, installed) => {
      const { script, complaints } = await bundle(await projectWith(installed))
      expect(complaints).toEqual([])
      await using worker = await start(script, ['nodejs_compat'])
      for (const driver of drivers) {
        const answer = await (await fetch(`${worker.url}/${driver}`)).json()
        if (installed.includes(driver)) expect(answer).toEqual([{ n: 1 }, { n: 2 }])
        else
          expect(answer).toMatchObject({
            name: 'DatabaseError',
            reason: 'driver-missing',
            hint: expect.stringContaining(`npm install ${packageOf[driver]}`),
          })
      }
    },
  )
})

describe('without nodejs_compat', () => {
  test('the first query on a driver that needs it names the flag; Neon does not need it', async () => {
    const { script, complaints } = await bundlers.wrangler!(await projectWith(['neon'], []))
    expect(complaints).toEqual([])
    await using worker = await start(script, [])
    const ask = async (driver: Driver) => (await fetch(`${worker.url}/${driver}`)).json()
    const namesTheFlag = {
      reason: 'nodejs-compat',
      hint: expect.stringContaining('compatibility_flags = ["nodejs_compat"]'),
    }
    expect(await ask('pg')).toMatchObject(namesTheFlag)
    expect(await ask('postgres')).toMatchObject(namesTheFlag)
    expect(await ask('neon')).toEqual([{ n: 1 }, { n: 2 }])
  })

  test.each(['pg', 'postgres'] as const)('wrangler names the flag when it bundles %s', async driver => {
    const { complaints } = await bundlers.wrangler!(await projectWith([driver], []))
    expect(complaints.join('\n')).toContain('"nodejs_compat" compatibility flag')
  })
})
