/** From a parsed URL to a connected stream, TLS as sslmode says. */
import { cancelRequest } from '@sluice/wire'
import { isWorkerd } from '../runtime.ts'
import type { Target } from '../url.ts'
import { openNodeSocket } from './node.ts'
import type { OpenRaw, TlsWish } from './raw.ts'
import { DriverStream } from './stream.ts'
import { openWorkerSocket } from './workerd.ts'

const openRaw: OpenRaw = isWorkerd ? openWorkerSocket : openNodeSocket

/**
 * sslmode as libpq reads it (PostgreSQL documentation, "Protection Provided in Different Modes").
 * `allow` asks for TLS first, as `prefer` does: nothing is gained by going in the clear first.
 */
function tlsWish({ sslmode, sslnegotiation, sslrootcert, sslcert, sslkey }: Target): TlsWish {
  return {
    use: sslmode === 'disable' ? 'off' : sslmode === 'allow' || sslmode === 'prefer' ? 'try' : 'must',
    direct: sslnegotiation === 'direct',
    verifyChain: sslmode === 'verify-ca' || sslmode === 'verify-full',
    verifyName: sslmode === 'verify-full',
    rootCertificate: sslrootcert,
    certificate: sslcert,
    key: sslkey,
  }
}

/** Connects to the target's first host; which of several it is to be is decided before (route.ts). */
export async function dial(target: Target, signal: AbortSignal): Promise<DriverStream> {
  const { host, port } = target.hosts[0]!
  const stream = new DriverStream()
  stream.attach(await openRaw(host, port, tlsWish(target), stream, signal))
  return stream
}

/**
 * CancelRequest on a connection of its own (PostgreSQL documentation, "Canceling Requests in Progress").
 * Resolves when the server has closed it: from then on the cancel can hit nothing else.
 */
export async function sendCancel(target: Target, stream: DriverStream, signal: AbortSignal): Promise<void> {
  const key = stream.cancelKey
  if (key === undefined) return
  const carrier = await dial(target, signal)
  await new Promise<void>(resolve => {
    carrier.onClosed = resolve
    if (carrier.closed) resolve()
    signal.addEventListener('abort', () => carrier.destroy(), { once: true })
    carrier.write(cancelRequest(key.processId, key.secretKey))
  })
}
