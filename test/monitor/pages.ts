/** A server that answers the four health pages well, and anything else as a test says. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll } from 'vitest'

const timestamp = '2026-11-25T03:16:58.655Z'

const pages: Record<string, object> = {
  '/api/health': { status: 'ok', timestamp },
  '/api/health/live': { status: 'ok', alive: true, timestamp },
  '/api/health/ready': { status: 'ok', ready: true, route: 'direct', reason: null, timestamp },
  '/api/health/database-performance': {
    performance: {
      ...{ queryLatency: '2ms', connectionType: 'Direct Connection', usingHyperdrive: false },
      hyperdriveConfig: { configured: false, bindingAvailable: false },
    },
    connections: { totalConnections: 1, hyperdriveConnections: 0, directConnections: 1, drizzleInstances: 0 },
    timestamp,
    recommendations: [],
  },
}

export interface Site {
  url: string
  /** HTTP connections accepted so far. */
  connections(): number
}

/**
 * Gone when the test file is done.
 *
 * @param answer for every path that is no health page; with `instead`, for these too
 */
export async function site(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  { instead = false } = {},
): Promise<Site> {
  let connections = 0
  const server = createServer((request, response) => {
    const page = pages[new URL(request.url!, 'http://localhost').pathname]
    if (instead || !page) return answer(request, response)
    response.setHeader('Cache-Control', 'no-store')
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify(page))
  })
  server.on('connection', () => {
    connections++
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => connections }
}
