/**
 * The monitor's HTTP: undici's pool to one origin, and the system's clock.
 *
 * A pool keeps its connections alive and gives each one request at a time, as browsers do with HTTP/1.1. So the number
 * of connections is the number of requests that can be under way.
 */
import { Pool } from 'undici'
import type { Answer, Ask, AskOptions, Clock } from './answer.ts'

export interface ClientOptions {
  /** Scheme, host and port. */
  origin: string
  connections: number
  /** false: each request opens a connection and closes it. */
  keepAlive: boolean
  token: string | undefined
}

export interface Client {
  ask: Ask
  close(): Promise<void>
}

export function openClient({ origin, connections, keepAlive, token }: ClientOptions): Client {
  // Deadlines are the monitor's own, so that one rule holds for connecting, waiting and reading.
  const pool = new Pool(origin, { connections, connectTimeout: 0, headersTimeout: 0, bodyTimeout: 0 })
  const headers = {
    'user-agent': 'sluice-monitor',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  }
  return {
    async ask(path, { timeoutMs, keepBody, signal }: AskOptions): Promise<Answer> {
      const ending = new AbortController()
      const onStop = () => ending.abort('cancelled')
      signal.addEventListener('abort', onStop, { once: true })
      const timer = setTimeout(() => ending.abort('timed out'), timeoutMs)
      try {
        if (signal.aborted) onStop()
        const answer = await pool.request({
          ...{ path, method: 'GET', headers, reset: !keepAlive, signal: ending.signal },
        })
        let body = ''
        if (keepBody) body = await answer.body.text()
        else await drain(answer.body)
        return {
          kind: 'answered',
          status: answer.statusCode,
          headers: Object.fromEntries(
            Object.entries(answer.headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]),
          ),
          body,
        }
      } catch (error) {
        if (ending.signal.aborted) return { kind: ending.signal.reason }
        return failed(error as NodeJS.ErrnoException)
      } finally {
        clearTimeout(timer)
        signal.removeEventListener('abort', onStop)
      }
    },
    close: () => pool.destroy(),
  }
}

async function drain(body: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of body);
}

function failed({ code = '', message }: NodeJS.ErrnoException): Answer {
  if (code === 'ETIMEDOUT') return { kind: 'timed out' }
  return { kind: 'failed', why: wordsFor(code, message), detail: message || code }
}

function wordsFor(code: string, message: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'host name not found'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'host not reachable'
    case 'ECONNRESET':
    case 'EPIPE':
    case 'UND_ERR_SOCKET':
      return 'connection closed before the answer was complete'
  }
  if (code.startsWith('HPE_')) return 'answered with something that is not HTTP'
  if (/CERT|SELF_SIGNED|ERR_TLS|UNABLE_TO/.test(code)) return `certificate not accepted (${code})`
  return code ? `failed (${code})` : message
}

export const systemClock: Clock = {
  now: () => performance.now(),
  at(time, wake) {
    const timer = setTimeout(wake, Math.max(0, time - performance.now()))
    return () => clearTimeout(timer)
  },
}
