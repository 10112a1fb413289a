/** What both transports do alike without being asked. */
import type { SocketHandler } from './transport.ts'

/** Silence after which the kernel asks whether the peer is still there: below the 350 s of common NAT gateways. */
export const keepAliveMs = 60_000

/** Hears for a socket that nobody has taken over yet. */
export const nobody: SocketHandler = {
  onData() {},
  onDrain() {},
  onEnd() {},
  onClose() {},
}
