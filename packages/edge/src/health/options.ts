/** What can be set of the health routes. */
import { DatabaseManager } from '../index.ts'

export interface HealthOptions {
  /** Default: the ready `DatabaseManager`. */
  manager?: DatabaseManager
  /** Where the routes live. Default '/api/health'. */
  path?: string
  /**
   * Demanded of who asks for the performance page, as `Authorization: Bearer …`: the token, or where in `env` it is
   * found. With it the page also tells the last errors. Default: no token, and no internals.
   */
  token?: string | ((env: never) => string | undefined)
  /** How long readiness may take, in ms. Default 2000: less than what orchestrators wait for a probe. */
  readyDeadlineMs?: number
}

/** Where the routes live, without a slash at its end. */
export const pathOf = ({ path = '/api/health' }: HealthOptions): string => path.replace(/\/+$/, '')

export const managerOf = (options: HealthOptions): DatabaseManager => options.manager ?? DatabaseManager
