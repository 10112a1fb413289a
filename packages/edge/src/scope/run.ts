/**
 * `DatabaseManager.run`: one request, one scope.
 *
 *     handler ───────▶ answer goes out
 *     waitUntil(a) ──────────▶ done ┐
 *     waitUntil(b) ─────────────────┴▶ idle connections close
 *
 * The answer waits for nothing here: closing hangs on the request's own `waitUntil`. What the handler gives to
 * `waitUntil` is seen because that method is laid over, once for each context object. A Durable Object has one such
 * object for all of its events, which overlap: whose promise it is tells the scope that runs, not the object.
 */
import { context, withContext } from '../context.ts'
import { RequestScope } from './request.ts'

/** What is used of Workers' ExecutionContext; a Durable Object's state fits too. */
export interface ExecutionContext {
  waitUntil(promise: Promise<unknown>): void
}

export async function runInRequest<T>(
  perRequest: boolean,
  ctx: ExecutionContext | undefined,
  fn: () => Promise<T>,
): Promise<T> {
  if (!perRequest || context().scope?.open) return fn()
  const scope = new RequestScope()
  const waitUntil = ctx && laidOver(ctx)
  try {
    return await withContext({ scope }, fn)
  } finally {
    if (scope.later.size === 0) scope.end()
    else {
      const ended = settled(scope.later).then(() => scope.end())
      // Without a context of its own the scope ends all the same: it may have noted what went to another's.
      waitUntil?.(ended)
    }
  }
}

type WaitUntil = ExecutionContext['waitUntil']

const originals = new WeakMap<ExecutionContext, WaitUntil>()

/** Notes what is handed to `ctx.waitUntil` from now on; the method below, through which nothing is noted. */
function laidOver(ctx: ExecutionContext): WaitUntil {
  let original = originals.get(ctx)
  if (original === undefined) {
    const below: WaitUntil = ctx.waitUntil.bind(ctx)
    original = below
    const value: WaitUntil = promise => {
      context().scope?.finishesAfter(promise)
      below(promise)
    }
    try {
      Object.defineProperty(ctx, 'waitUntil', { configurable: true, writable: true, value })
    } catch {
      // A context that can't be changed is left alone: its connections close when the handler is done.
    }
    originals.set(ctx, original)
  }
  return original
}

/** Resolves when the set is empty: what a promise hands to waitUntil while it runs is waited for too. */
async function settled(later: ReadonlySet<Promise<unknown>>): Promise<void> {
  while (later.size > 0) await Promise.all(later)
}
