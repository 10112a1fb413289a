/**
 * What the running request knows, carried through its awaits by AsyncLocalStorage.
 *
 * Handles are stateless: which connections a statement may use, and which run it belongs to, is read here
 * at the moment it is executed. Without AsyncLocalStorage (a Worker without `nodejs_compat`) there is no
 * context: each call then stands alone, and no function is ever run a second time.
 */

import type { Run } from './run.ts'
import { builtinIfAny } from './runtime.ts'
import type { RequestScope } from './scope/request.ts'

export interface Context {
  /** The request's connections, on runtimes where sockets belong to a request. */
  readonly scope?: RequestScope | undefined
  /** The call of executeOptimalQuery that is running. */
  readonly run?: Run | undefined
  /** True inside a transaction or cursor: this flow holds a connection while it asks for another. */
  readonly holding?: boolean | undefined
  /** The savepoints that this flow runs in, outermost first. */
  readonly savepoints?: readonly Savepoint[] | undefined
}

/** An open savepoint of some transaction. */
export interface Savepoint {
  /** Fulfilled when it has been released or rolled back. */
  readonly over: Promise<void>
}

interface Storage {
  getStore(): Context | undefined
  run<T>(store: Context, fn: () => T): T
}

const hooks = builtinIfAny<{ AsyncLocalStorage: new () => Storage }>('node:async_hooks')
const storage = hooks && new hooks.AsyncLocalStorage()
const nothing: Context = {}

/** False where a flow can't be followed: then nothing may be run twice. */
export const canFollow = storage !== undefined

export const context = (): Context => storage?.getStore() ?? nothing

/**
 * Runs `fn` with `change` laid over the context of the caller. Give it an async function: queries are lazy, and one
 * that `fn` only returns is awaited in there, not by the caller.
 */
export const withContext = <T>(change: Context, fn: () => T): T =>
  storage ? storage.run({ ...context(), ...change }, fn) : fn()
