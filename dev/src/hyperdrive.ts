/**
 * Hyperdrive bindings go from workerd straight to the database.
 *
 * Miniflare puts a TCP proxy in between, in this process, whose sockets have no error listener: a database that
 * refuses, or a Worker that drops its socket, ends the whole process with an uncaught ECONNREFUSED or EPIPE, and a
 * client whose far side failed is never closed. All that the proxy is for is TLS towards the database. Newer
 * Miniflare leaves it out where the URL asks for no TLS (workers-sdk pull request 13390); those need Node 22, while
 * the clone must install on 20 without an engine warning. So the plugin's one method is replaced with what the newer
 * one does. To be deleted when Node 20 is no longer supported.
 */
import { HYPERDRIVE_PLUGIN } from 'miniflare'

const proxied = HYPERDRIVE_PLUGIN.getServices

HYPERDRIVE_PLUGIN.getServices = async context => {
  // Declared as what goes in; what comes here has been parsed to URLs.
  const all = Object.entries((context.options.hyperdrives ?? {}) as Record<string, URL>)
  const wantsTls = ([, url]: [string, URL]) => (url.searchParams.get('sslmode') ?? 'disable') !== 'disable'
  const throughProxy = all.filter(wantsTls)
  const straight = all
    .filter(one => !wantsTls(one))
    .map(([name, url]) => ({
      name: `hyperdrive:${name}`,
      external: { address: `${url.hostname}:${url.port || 5432}`, tcp: {} },
    }))
  const rest = await proxied({ ...context, options: { hyperdrives: Object.fromEntries(throughProxy) } })
  return [...straight, ...(Array.isArray(rest) ? rest : [])]
}
