/**
 * Writes in all shapes, and of each what its caller was told: 'ok', or an error with its `sent`.
 *
 *     /<shape>?id=7&manager=name   writes the rows (7, 1) and, if the shape has two parts, (7, 2)
 *     …&deadline=600               gives the one statement of the shape `one` a deadline
 */
import { DatabaseError, type Env, type Sql } from '@sluice/edge'
import { managerOf, respond } from './respond.ts'

export type Outcome =
  | 'ok'
  | { sent: 'no' | 'maybe'; code: string; reason: string; retryable: boolean; message: string }

export interface Written {
  id: number
  shape: string
  /** By part of the row's key. */
  parts: Record<string, Outcome>
  ms: number
}

interface Work {
  id: number
  env: Env
  manager: ReturnType<typeof managerOf>
  deadlineMs: number | undefined
  /** Awaits a write and notes what became of it, for one part or several; rejects as the write does. */
  note(parts: number[], write: PromiseLike<unknown>): Promise<void>
}

const insert = (sql: Sql, id: number, part: number) => sql`insert into writes values (${id}, ${part})`

export const shapes: Record<string, (work: Work) => Promise<unknown>> = {
  one: ({ env, manager, id, deadlineMs, note }) =>
    manager.executeOptimalQuery(env, sql => note([1], insert(sql, id, 1).with({ deadlineMs }))),

  handle: ({ env, manager, id, note }) => note([1], insert(manager.getOptimalConnection(env), id, 1)),

  two: ({ env, manager, id, note }) =>
    manager.executeOptimalQuery(env, async sql => {
      await note([1], insert(sql, id, 1))
      await note([2], insert(sql, id, 2))
    }),

  pair: ({ env, manager, id, note }) =>
    manager.executeOptimalQuery(env, async sql => {
      await Promise.allSettled([note([1], insert(sql, id, 1)), note([2], insert(sql, id, 2))])
    }),

  /** Two statements at once that share nothing, not even a connection. */
  apart: async ({ env, manager, id, note }) => {
    const sql = manager.getOptimalConnection(env)
    await Promise.allSettled([note([1], insert(sql, id, 1)), note([2], insert(sql, id, 2))])
  },

  transaction: ({ env, manager, id, note }) =>
    note(
      [1, 2],
      manager.getOptimalConnection(env).transaction(async tx => {
        await insert(tx, id, 1)
        await insert(tx, id, 2)
      }),
    ),

  drizzle: ({ env, manager, id, note }) =>
    note(
      [1, 2],
      manager.getOptimalDrizzle(env).transaction(async tx => {
        await tx.execute(`insert into writes values (${id}, 1)`)
        await tx.execute(`insert into writes values (${id}, 2)`)
      }),
    ),

  closedOver: ({ env, manager, id, note }) => {
    const outside = manager.getOptimalConnection(env)
    return manager.executeOptimalQuery(env, async sql => {
      await note([1], insert(outside, id, 1))
      await note([2], insert(sql, id, 2))
    })
  },

  /** Holds its connection for a while, and notes how many of its user's do. */
  slow: ({ env, manager, id, note }) =>
    note(
      [1],
      manager.getOptimalConnection(env)`
        insert into writes
        select ${id}::int, 1, (
          select count(*) from pg_stat_activity where usename = current_user and state = 'active'
        )
        from pg_sleep(0.25)`,
    ),

  procedure: ({ env, manager, id, note }) =>
    manager.executeOptimalQuery(env, sql => note([1], sql`call commit_then_raise(${id}::int)`)),
}

export default {
  async fetch(
    request: Request,
    env: Env,
    ctx: { waitUntil(promise: Promise<unknown>): void },
  ): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const manager = managerOf(searchParams.get('manager') ?? 'default')
    if (pathname === '/info') return Response.json(manager.getConnectionInfo())
    if (pathname === '/big') {
      const [row] = await manager.getOptimalConnection(env)`select length(${'é'.repeat(100_000)}) as length`
      return Response.json(row)
    }
    const shape = pathname.slice(1)
    const id = Number(searchParams.get('id'))
    const parts: Record<string, Outcome> = {}
    const note = async (of: number[], write: PromiseLike<unknown>) => {
      let outcome: Outcome = 'ok'
      try {
        await write
      } catch (error) {
        if (!(error instanceof DatabaseError)) throw error
        const { sent, code, reason, retryable, message } = error
        outcome = { sent, code, reason, retryable, message }
        throw error
      } finally {
        for (const part of of) parts[part] = outcome
      }
    }
    const began = Date.now()
    const deadlineMs = Number(searchParams.get('deadline')) || undefined
    const work = () => shapes[shape]!({ id, env, manager, deadlineMs, note }).catch(() => {})
    await (searchParams.has('run') ? manager.run(env, ctx, work) : work())
    return respond(async () => ({ id, shape, parts, ms: Date.now() - began }) satisfies Written)
  },
}
