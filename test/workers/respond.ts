/** What the tests' Workers answer: what their work gave, or the fields of the library's error. */

import { env } from 'cloudflare:workers'
import { createDatabaseManager, DatabaseError, type DatabaseManager } from '@sluice/edge'

export async function respond(work: () => Promise<unknown>): Promise<Response> {
  try {
    return Response.json((await work()) ?? {})
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    return Response.json({ error }, { status: 500 })
  }
}

const managers = new Map<string, DatabaseManager>()

/**
 * One manager for each name, with the options of the variable OPTIONS: its breakers know nothing of another's. One
 * whose name begins with postgres takes that driver.
 */
export function managerOf(name: string): DatabaseManager {
  let manager = managers.get(name)
  if (manager === undefined) {
    manager = createDatabaseManager({
      ...env.OPTIONS,
      driver: name.startsWith('postgres') ? 'postgres' : 'pg',
      log: line => console.log(`${name}: ${line}`),
    })
    managers.set(name, manager)
  }
  return manager
}
