/**
 * `DatabaseManager.run`: one request, one scope.
 *
 *     handler ───────▶ answer goes out
 *     waitUntil(a) ──────────▶ done ┐
 *     waitUntil(b) ─────────────────┴▶ idle connections close
 *
 * The answer waits for nothing here: closing hangs on the request's own `waitUntil`. What the handler gives to
 * `waitUntil` is seen because that method is laid over on the one context object, for this request only.
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
  const later = new Set<Promise<unknown>>()
  const restore = ctx && overlay(ctx, later)
  try {
    return await withContext({ scope }, fn)
  } finally {
    if (later.size === 0) {
      restore?.()
      scope.end()
    } else {
      const done = settled(later).then(() => {
        restore?.()
        scope.end()
      })
      // The method below the overlay: this promise must not wait for itself.
      if (ctx) originalOf(ctx)(done)
    }
  }
}

const originals = new WeakMap<ExecutionContext, ExecutionContext['waitUntil']>()

const originalOf = (ctx: ExecutionContext): ExecutionContext['waitUntil'] =>
  originals.get(ctx) ?? (promise => ctx.waitUntil(promise))

/** Notes what is handed to `ctx.waitUntil` from now on; a context that can't be changed is left alone. */
function overlay(ctx: ExecutionContext, later: Set<Promise<unknown>>): () => void {
  const original = ctx.waitUntil.bind(ctx)
  try {
    Object.defineProperty(ctx, 'waitUntil', {
      configurable: true,
      value: (promise: Promise<unknown>) => {
        const noted = Promise.resolve(promise).catch(() => {})
        later.add(noted)
        noted.then(() => later.delete(noted))
        original(promise)
      },
    })
  } catch {
    return () => {}
  }
  originals.set(ctx, original)
  return () => {
    delete (ctx as Partial<ExecutionContext>).waitUntil
    originals.delete(ctx)
  }
}

/** Resolves when the set is empty: what a promise hands to waitUntil while it runs is waited for too. */
async function settled(later: Set<Promise<unknown>>): Promise<void> {
  while (later.size > 0) await Promise.all(later)
}
