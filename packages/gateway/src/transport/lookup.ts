/** Names of hosts, handed in: tests let them lead elsewhere. */
import { lookup } from 'node:dns/promises'

/** All addresses of a name. Rejects if it has none, or can't be looked up. */
export type Lookup = (host: string) => Promise<readonly string[]>

/** As the system does for a connection, its hosts file included. */
export const systemLookup: Lookup = async host =>
  (await lookup(host, { all: true })).map(({ address }) => address)
