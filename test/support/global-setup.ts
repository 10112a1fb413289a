/** One PostgreSQL for a whole run of the tests; what they do in it, they do in databases of their own (postgres.ts). */
import { startPostgres } from '@sluice/dev'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { askForClearTextPassword, clearTextUser } from './server-files.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** URL of the superuser on the database `postgres`. */
    postgresUrl: string
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await startPostgres({
    settings: {
      // Nothing has to outlive the run.
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      max_connections: '300',
      // What the gateway's tests need, and what the others don't feel.
      wal_level: 'logical',
      max_prepared_transactions: '10',
    },
  })
  try {
    const admin = new pg.Client(postgres.url)
    await admin.connect()
    await admin.query(`create role ${clearTextUser} superuser login password '${clearTextUser}'`)
    await askForClearTextPassword(admin)
    await admin.end()
  } catch (error) {
    await postgres.stop()
    throw error
  }
  project.provide('postgresUrl', postgres.url)
  return () => postgres.stop()
}
