/**
 * Ports on the loopback address.
 *
 * Neither PostgreSQL nor a script that wants a known port can take "any": a port is looked for, then given to the
 * server. Somebody else can take it in between, so a server that finds it taken says so with `PortTaken`, and the
 * next one is tried.
 */
import net from 'node:net'
import { noPortFree } from './failure.ts'

const HOST = '127.0.0.1'
const TRIES = 100

export class PortTaken extends Error {
  override name = 'PortTaken'
  constructor(port: number, cause?: unknown) {
    super(`port ${port} is taken`, { cause })
  }
}

/** Starts a server on the first free port from `first` on. */
export async function fromPort<T>(first: number, start: (port: number) => Promise<T>): Promise<T> {
  for (let port = first; port < first + TRIES && port <= 65_535; port++) {
    if (!(await isFree(port))) continue
    try {
      return await start(port)
    } catch (error) {
      if (!(error instanceof PortTaken)) throw error
    }
  }
  throw noPortFree(first, Math.min(first + TRIES - 1, 65_535))
}

/** Starts a server on a port that the system chooses. */
export async function onAnyPort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await anyPort())
    } catch (error) {
      if (!(error instanceof PortTaken) || attempt === 5) throw error
    }
  }
}

/**
 * Nobody answers on it and we could listen. Both, because macOS lets a server listen on 127.0.0.1 although another
 * one has the same port on all addresses.
 */
async function isFree(port: number): Promise<boolean> {
  return !(await answers(port)) && (await listen(port)) !== null
}

async function anyPort(): Promise<number> {
  const port = await listen(0)
  if (port === null) throw new Error('the system has no free port')
  return port
}

const answers = (port: number) =>
  new Promise<boolean>(resolve => {
    const socket = net.connect({ host: HOST, port })
    const done = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => done(true)).once('error', () => done(false))
  })

const listen = (port: number) =>
  new Promise<number | null>(resolve => {
    const server = net.createServer()
    server.once('error', () => resolve(null))
    server.listen({ host: HOST, port }, () => {
      const address = server.address() as net.AddressInfo
      server.close(() => resolve(address.port))
    })
  })
