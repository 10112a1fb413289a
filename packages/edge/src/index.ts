/** `@sluice/edge`: the best route to PostgreSQL from Workers, Node, Bun and Deno. */
export type { CheckReport, Finding } from './check.ts'
export type { DriverName, Field } from './drivers/driver.ts'
export type { NeonOptions } from './drivers/neon.ts'
export type { Drizzle, Schema, SluiceQueryResultHKT } from './drizzle.ts'
export type { Env, Ways } from './env.ts'
export { DatabaseError, type Reason, type RouteName, type Sent } from './errors.ts'
export type { QueryOptions, TransactionOptions } from './executor.ts'
export type { DrizzleOptions, HandleOptions } from './handles.ts'
export type { ConnectionInfo, LatencySummary, RouteInfo } from './info.ts'
export {
  createDatabaseManager,
  type OptimalQueryOptions,
  type QueryFunction,
} from './manager.ts'
export type { Measurement, MeasureOptions } from './measure.ts'
export type { ManagerOptions, QueryEvent, RouteChange } from './options.ts'
export type { ExecutionContext } from './scope/run.ts'
export type { Fragment, Query, Rows, Sql } from './sql.ts'
export type { Json } from './values/encode.ts'

import { createDatabaseManager, type DatabaseManager as Manager } from './manager.ts'

/** The ready manager, with the defaults; `createDatabaseManager(options)` makes others. */
export const DatabaseManager: Manager = createDatabaseManager()
export type DatabaseManager = Manager
