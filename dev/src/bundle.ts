/**
 * A Worker as one module, bundled in memory the way `wrangler deploy` bundles it.
 *
 * The same conditions (`workerd`, `worker`, `browser`), so packages give the code that they give on Cloudflare. Node's
 * builtins stay imports, with their `node:` prefix: workerd brings them (flag nodejs_compat). CommonJS that *requires*
 * one (`pg` requires "events") can't keep the call, because there is no `require` at run time; it gets a small module
 * that imports the builtin and hands it on, as wrangler does.
 *
 * Unlike wrangler, no polyfill (unenv) stands in for builtins that workerd lacks. With the newest compatibility date
 * it has all that database drivers use, and a Worker that needs more fails here at once.
 */
import { builtinModules } from 'node:module'
import { type BuildFailure, build, type Plugin } from 'esbuild'
import { cannotBundle } from './failure.ts'

/** The text of an ES module, for `startWorker`. Throws a `Failure` that names file and line. */
export async function bundleWorker(entry: string): Promise<string> {
  try {
    const { outputFiles } = await build({
      entryPoints: [entry],
      ...{
        bundle: true,
        write: false,
        format: 'esm',
        target: 'es2024',
        platform: 'browser',
        keepNames: true,
      },
      conditions: ['workerd', 'worker', 'browser'],
      define: { 'process.env.NODE_ENV': '"development"', 'navigator.userAgent': '"Cloudflare-Workers"' },
      ...{ sourcemap: 'inline', sourcesContent: false, logLevel: 'silent' },
      plugins: [runtimeModules],
    })
    return outputFiles[0]!.text
  } catch (error) {
    const errors = (error as Partial<BuildFailure>).errors
    if (!errors) throw error
    const said = errors.map(({ text, location: at }) =>
      at ? `${at.file}:${at.line}:${at.column}: ${text}` : text,
    )
    throw cannotBundle(said.join('; '))
  }
}

const builtin = new RegExp(`^(node:.+|(${builtinModules.filter(name => !name.startsWith('_')).join('|')}))$`)

export const runtimeModules: Plugin = {
  name: 'modules of the runtime',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(cloudflare|workerd):/ }, ({ path }) => ({ path, external: true }))
    onResolve({ filter: builtin }, ({ path, kind }) => {
      const name = path.startsWith('node:') ? path : `node:${path}`
      return kind === 'require-call' ? { path: name, namespace: 'required' } : { path: name, external: true }
    })
    onLoad({ filter: /.*/, namespace: 'required' }, ({ path }) => ({
      contents: `import all from '${path}'; module.exports = all`,
    }))
  },
}
