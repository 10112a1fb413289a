/**
 * Builds the packages as they are published: `npm run pack`, then `npm pack` of both folders.
 *
 *     packages/edge/src/*.ts ──tsc──▶ dist/*.js, *.d.ts, *.js.map (with the sources in it)
 *     packages/edge/package.json ───▶ dist/package.json, its exports led to those files
 *     README.md, LICENSE ───────────▶ dist/
 *
 * In the repository the packages run as TypeScript; `dist/` is there to publish only. ESM alone: every runtime that
 * the packages are for has it, and one copy of each module means one `DatabaseError` class.
 */
import { execFile } from 'node:child_process'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))

/** In the order in which they are built: a package's types are read by those behind it. */
export const packages = ['wire', 'edge'] as const

type PackageName = (typeof packages)[number]

interface Manifest {
  exports: Record<string, string>
  private?: boolean
  devDependencies?: object
  [field: string]: unknown
}

/** Builds all packages, each into the folder that `into` names; what was there is replaced. */
export async function pack(into: (name: PackageName) => string): Promise<void> {
  for (const name of packages) await build(name, into)
}

async function build(name: PackageName, into: (name: PackageName) => string): Promise<void> {
  const from = join(root, 'packages', name)
  const out = into(name)
  await rm(out, { recursive: true, force: true })
  await mkdir(out, { recursive: true })
  const config = join(out, 'tsconfig.json')
  await writeFile(
    config,
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        noEmit: false,
        allowImportingTsExtensions: false,
        rewriteRelativeImportExtensions: true,
        declaration: true,
        sourceMap: true,
        inlineSources: true,
        rootDir: join(from, 'src'),
        outDir: out,
        typeRoots: [join(root, 'node_modules/@types')],
        // Other packages as they are published: their declarations, not their sources.
        paths: Object.fromEntries(
          packages.map(other => [`@sluice/${other}`, [join(into(other), 'index.d.ts')]]),
        ),
      },
      include: [join(from, 'src')],
      exclude: [join(from, 'src/**/*.test.ts')],
    }),
  )
  await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', config]).catch(
    ({ stdout, message }) => {
      throw new Error(`@sluice/${name} does not compile:\n${stdout || message}`)
    },
  )
  await rm(config)
  await writeFile(join(out, 'package.json'), `${JSON.stringify(await published(from), null, 2)}\n`)
  await copyFile(join(from, 'README.md'), join(out, 'README.md'))
  await copyFile(join(root, 'LICENSE'), join(out, 'LICENSE'))
}

/** package.json without what concerns the repository only, and with the versions of Node that hold for all of it. */
async function published(from: string): Promise<Manifest> {
  const { private: _, devDependencies: __, exports, ...rest } = await manifest(from)
  const { engines } = await manifest(root)
  return {
    ...rest,
    engines,
    exports: Object.fromEntries(
      Object.entries(exports).map(([path, source]) => [path, built(source)]),
    ) as never,
    files: ['**/*.js', '**/*.js.map', '**/*.d.ts'],
  }
}

async function manifest(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
}

/** './src/health/index.ts' → './health/index.js' and its declarations. */
function built(source: string): { types: string; default: string } {
  const base = source.replace(/^\.\/src\//, './').replace(/\.ts$/, '')
  return { types: `${base}.d.ts`, default: `${base}.js` }
}

if (import.meta.main) {
  await pack(name => join(root, 'packages', name, 'dist'))
  const folders = packages.map(name => join(root, 'packages', name, 'dist'))
  console.log(`Built. In your project's folder, for the two files to install:

  npm pack --silent ${folders.join(' ')}`)
}
