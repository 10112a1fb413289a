/**
 * checkConfig: tries every route while nothing is wrong yet, the fallback above all, and says what it finds.
 *
 * A fallback that was never tried fails when it is needed: by a parameter that the server does not know, a pooler
 * that has no prepared statements, a password that changed.
 */
import type { Ways } from './env.ts'
import { DatabaseError, type RouteName } from './errors.ts'
import { HandleExecutor } from './executor.ts'
import type { Route } from './route.ts'
import { makeSql } from './sql.ts'
import { beginTransaction } from './transaction.ts'

export interface Finding {
  readonly level: 'ok' | 'warning' | 'error'
  readonly route: RouteName | undefined
  /** What was found, in plain words. */
  readonly message: string
  /** What to do about it. */
  readonly remedy: string | undefined
}

export interface CheckReport {
  /** False if any finding is an error. */
  readonly ok: boolean
  readonly findings: readonly Finding[]
}

interface Facts {
  database: string
  user: string
  version: string
  readonly: string
  standby: boolean
}

export async function checkRoutes(env: Ways, routes: readonly Route[]): Promise<CheckReport> {
  const findings: Finding[] = []
  const add = (level: Finding['level'], route: RouteName | undefined, message: string, remedy?: string) =>
    findings.push({ level, route, message, remedy })
  if (!env.HYPERDRIVE) {
    add(
      'warning',
      'hyperdrive',
      'no HYPERDRIVE binding: every query goes to the database directly',
      'Add [[hyperdrive]] with binding = "HYPERDRIVE" to wrangler.toml.',
    )
  }
  if (!env.DATABASE_URL) {
    add(
      env.HYPERDRIVE ? 'warning' : 'error',
      'direct',
      env.HYPERDRIVE
        ? 'no DATABASE_URL: there is no way around an outage of the binding'
        : 'no DATABASE_URL either: there is no way to the database at all',
      'Set it as a secret: npx wrangler secret put DATABASE_URL.',
    )
  }
  const known: Facts[] = []
  for (const route of routes) {
    const facts = await checkRoute(route, add)
    if (facts) known.push(facts)
  }
  const databases = new Set(known.map(({ database }) => `"${database}"`))
  if (databases.size > 1) {
    add(
      'error',
      undefined,
      `the routes lead to different databases: ${[...databases].join(' and ')}`,
      'Each must reach the same data: correct the bindings or DATABASE_URL.',
    )
  }
  return { ok: findings.every(({ level }) => level !== 'error'), findings }
}

type Add = (level: Finding['level'], route: RouteName | undefined, message: string, remedy?: string) => void

async function checkRoute(route: Route, add: Add): Promise<Facts | undefined> {
  const sql = makeSql(new HandleExecutor(() => [route], beginTransaction))
  const began = performance.now()
  try {
    const { dropped, pooled } = route.target()
    // A parameter and a transaction: what fails behind a pooler fails here.
    const facts = await sql.transaction(async tx => {
      const [row] = await tx<Facts>`
        select current_database()::text as database, current_user::text as user, current_setting('server_version') as version,
          current_setting('default_transaction_read_only') as readonly, pg_is_in_recovery() as standby
        where ${1}::int = 1`
      return row!
    })
    const ms = Math.max(1, Math.round(performance.now() - began))
    add(
      'ok',
      route.name,
      `PostgreSQL ${facts.version}, database "${facts.database}" as "${facts.user}": connected and answered in ${ms} ms`,
    )
    if (facts.standby || facts.readonly === 'on') {
      add('warning', route.name, 'the server is read-only: writes will fail', 'Use the URL of the primary.')
    }
    if (dropped.length > 0) {
      add(
        'warning',
        route.name,
        `parameters of the URL that have no effect here: ${dropped.join(', ')}`,
        'They can be removed.',
      )
    }
    if (pooled) {
      add('ok', route.name, 'the URL names a transaction pooler: statements are sent unnamed')
    }
    return facts
  } catch (error) {
    const known = error instanceof DatabaseError
    add('error', route.name, known ? error.message : String(error), known ? error.hint : undefined)
    return undefined
  }
}
