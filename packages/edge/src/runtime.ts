/**
 * Which runtime this is, and how its built-in modules are reached.
 *
 * Built-ins are asked for at run time (`process.getBuiltinModule`), never imported: so a bundle holds no
 * Node-only module, importing the library does no I/O, and a Worker without `nodejs_compat` gets our
 * sentence at its first query in place of a bundler's error.
 */
import { missingNodejsCompat } from './errors.ts'

/** Workers tie a socket to the request that opened it; elsewhere a pool may live for the process. */
export const isWorkerd: boolean =
  typeof navigator === 'object' && navigator !== null && navigator.userAgent === 'Cloudflare-Workers'

/** A built-in module, or undefined where the runtime has none of that name. */
export function builtinIfAny<Module>(name: string): Module | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }
  try {
    return process?.getBuiltinModule?.(name) as Module | undefined
  } catch {
    return undefined
  }
}

/** A built-in module. @throws DatabaseError `nodejs-compat` where the runtime lacks it. */
export function builtin<Module>(name: string): Module {
  const module = builtinIfAny<Module>(name)
  if (module === undefined) throw missingNodejsCompat(name)
  return module
}
