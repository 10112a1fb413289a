/** Tells an origin, on a connection of its own, to cancel what a server connection runs. */
import { cancelRequest } from '@sluice/wire'
import type { Clock } from '../transport/clock.ts'
import type { Transport } from '../transport/transport.ts'
import { type Origin, openSocket } from './dial.ts'
import type { ServerConnection } from './server-connection.ts'

/**
 * Ends when the origin has closed the cancel connection: the signal is sent by then, and whatever runs later on the
 * connection is safe from it. Ends, too, if the origin can't be reached; a cancel that can't be delivered is no error.
 */
export async function cancelOn(
  server: ServerConnection,
  {
    origin,
    transport,
    clock,
    timeoutMs,
  }: { origin: Origin; transport: Transport; clock: Clock; timeoutMs: number },
): Promise<void> {
  const { key, address } = server
  // Some proxies give no key: there is nothing to cancel with.
  if (!key) return
  const attempt = new AbortController()
  const cancelTimer = clock.after(timeoutMs, () => attempt.abort(new Error('it took too long')))
  try {
    const socket = await openSocket(address, origin, transport, attempt.signal)
    await new Promise<void>(resolve => {
      attempt.signal.addEventListener('abort', () => socket.destroy(), { once: true })
      socket.handler = { onData() {}, onDrain() {}, onEnd: () => socket.end(), onClose: () => resolve() }
      socket.write(cancelRequest(key.processId, key.secretKey))
    })
  } catch {
    // The connection that it was for is most likely gone, too.
  } finally {
    cancelTimer()
  }
}
