/** The end of a conversation with a client: what was said leaves first, and nobody keeps a socket by not closing it. */
import type { Clock } from './clock.ts'
import type { Socket } from './transport.ts'

/** How long a client may take to read what was said and to close its side. */
export const lingerMs = 5_000

export function hangUp(socket: Socket, clock: Clock): void {
  socket.end()
  clock.after(lingerMs, () => socket.destroy())
}
