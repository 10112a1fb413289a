/**
 * The monitor's HTTP: undici's pool to one origin, and the system's clock.
 *
 * A pool keeps its connections alive and gives each one request at a time, as browsers do with HTTP/1.1. So the number
 * of connections is the number of requests that can be under way.
 */
import { Pool } from 'undici'
import { type Answer, type Ask, type AskOptions, type Clock, longestBody } from './answer.ts'

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
  const hidden = hiding(token)
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
        const { body, cut } = keepBody ? await kept(answer.body) : await drained(answer.body)
        return {
          kind: 'answered',
          status: answer.statusCode,
          headers: Object.fromEntries(
            Object.entries(answer.headers).map(([name, value]) => [
              name,
              hidden([value ?? ''].flat().join(', ')),
            ]),
          ),
          body: hidden(body),
          ...(cut && { cut }),
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

type Body = AsyncIterable<Uint8Array>
interface Read {
  body: string
  cut?: true
}

async function drained(body: Body): Promise<Read> {
  for await (const _ of body);
  return { body: '' }
}

/** As text; leaving the loop closes the connection, so an endless one is not read on. */
async function kept(body: Body): Promise<Read> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    length += chunk.length
    if (length > longestBody) break
  }
  const text = new TextDecoder().decode(Buffer.concat(chunks).subarray(0, longestBody))
  return length > longestBody ? { body: text, cut: true } : { body: text }
}

/** What is shorter stands in any page, and guards nothing. */
const shortestSecret = 8

/** A server may answer what it was sent, and reports are kept in logs: so the token is taken out of answers at once. */
function hiding(token: string | undefined): (text: string) => string {
  return token === undefined || token.length < shortestSecret
    ? text => text
    : text => text.replaceAll(token, '(token)')
}

function failed({ name, code = '', message }: NodeJS.ErrnoException): Answer {
  if (code === 'ETIMEDOUT') return { kind: 'timed out' }
  const why = wordsFor(code, name, message)
  // OpenSSL's own words are a line of its source.
  return { kind: 'failed', why, detail: code.startsWith('ERR_SSL_') ? why : message || code }
}

function wordsFor(code: string, name: string, message: string): string {
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
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
      return 'no TLS there: http:// in place of https://?'
    case 'UND_ERR_HEADERS_OVERFLOW':
      return 'answered with headers of more than 16 kB'
  }
  if (name === 'HTTPParserError') return 'answered with something that is not HTTP'
  if (/CERT|SELF_SIGNED|ERR_TLS|UNABLE_TO/.test(code)) return `certificate not accepted (${code})`
  if (code.startsWith('ERR_SSL_')) return `no TLS could be agreed on (${code})`
  return code ? `failed (${code})` : message
}

export const systemClock: Clock = {
  now: () => performance.now(),
  at(time, wake) {
    const timer = setTimeout(wake, Math.max(0, time - performance.now()))
    return () => clearTimeout(timer)
  },
}
