/**
 * What tests and benchmarks run on: a real PostgreSQL and a real workerd, started and ended by the one who asks.
 */
export { bundleWorker } from './bundle.ts'
export { type DataSet, ensureDataSet } from './dataset.ts'
export { Failure } from './failure.ts'
export { PortTaken } from './ports.ts'
export { type Postgres, type PostgresOptions, startPostgres } from './postgres.ts'
export { type RunningWorker, startWorker, type WorkerOptions } from './worker.ts'
