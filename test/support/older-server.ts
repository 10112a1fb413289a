/**
 * A PostgreSQL that speaks as an older one: it calls itself 17, and does not report search_path, which 18 is the first to
 * do. A proxy before the run's PostgreSQL, without TLS.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { MessageScanner, ParameterStatus, parameterStatus, watch } from '@sluice/wire'

export interface OlderServer extends AsyncDisposable {
  readonly url: string
}

const statuses = watch({ whole: [ParameterStatus], noted: 'all others' })

export async function startOlderServer(url: string): Promise<OlderServer> {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  const listener = createServer(client => {
    const server = connect(Number(port), hostname)
    client.pipe(server)
    speakAsOlder(server, client)
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  await new Promise<void>(resolve => listener.listen(0, '127.0.0.1', resolve))
  const older = new URL(url)
  older.host = `127.0.0.1:${(listener.address() as AddressInfo).port}`
  return {
    url: older.href,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => listener.close(resolve))
    },
  }
}

function speakAsOlder(server: Socket, client: Socket): void {
  const scanner = new MessageScanner(statuses)
  /** Of a message that is not whole yet. */
  let held: Buffer = Buffer.alloc(0)
  server.on('data', chunk => {
    let begin = 0
    scanner.feed(chunk, (type, bytes, bodyStart, bodyEnd, end) => {
      const message = Buffer.concat([held, chunk.subarray(begin, end)])
      held = Buffer.alloc(0)
      begin = end
      const [name] = type === ParameterStatus ? namesIn(bytes.subarray(bodyStart, bodyEnd)) : []
      if (name === 'server_version') client.write(parameterStatus(name, '17.9'))
      else if (name !== 'search_path') client.write(message)
    })
    held = Buffer.concat([held, chunk.subarray(begin)])
  })
}

const namesIn = (body: Uint8Array): string[] => Buffer.from(body).toString().split('\0')
