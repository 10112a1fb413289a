/**
 * How the Worker reaches its database: through Hyperdrive where the binding is there, by DATABASE_URL otherwise.
 *
 *     HYPERDRIVE binding  ──▶ preferred: a pool near the database, no handshakes per request
 *     DATABASE_URL        ──▶ when there is no binding, or while its way is broken
 *
 * Choosing, falling back and measuring are the library's. The handles are stateless and made without I/O, so asking
 * for them in each handler costs a look into a Map.
 */
import { DatabaseManager, type Env } from '@sluice/edge'
import * as schema from './schema.ts'

/** What wrangler.toml and the secrets give the Worker. */
export type Bindings = Env

/** The tagged template, for statements that Drizzle has no words for. */
export const connection = (env: Env) => DatabaseManager.getOptimalConnection(env)

/** Drizzle with the platform's tables. */
export const database = (env: Env) => DatabaseManager.getOptimalDrizzle(env, { schema })

/** The way that is taken while nothing is broken. Whether it was taken is what the health endpoint measures. */
export const preferredRoute = (env: Partial<Env>): 'hyperdrive' | 'direct' | 'none' =>
  env.HYPERDRIVE ? 'hyperdrive' : env.DATABASE_URL ? 'direct' : 'none'
