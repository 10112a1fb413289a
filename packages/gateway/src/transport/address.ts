/** Where sockets go, as errors name it: the runtimes say it differently, or not at all. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string }

export function named(at: Address): string {
  if ('path' in at) return at.path
  return at.host.includes(':') ? `[${at.host}]:${at.port}` : `${at.host}:${at.port}`
}

/** The same error, with its code kept, under one message: `connect ECONNREFUSED 127.0.0.1:5432`. */
export function refusal(call: 'connect' | 'listen', at: Address, error: NodeJS.ErrnoException): Error {
  error.message = `${call} ${error.code ?? `failed (${error.message})`} ${named(at)}`
  return error
}
