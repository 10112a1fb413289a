/**
 * What the suite's cases ask of the test's process: the proxy's faults, what the server saw, servers that misbehave.
 *
 * One lab for each way of each runtime: a database, a proxy before the server, Neon's bridge before the proxy.
 */
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { generate } from 'selfsigned'
import { FaultProxy } from '../support/fault-proxy.ts'
import { NeonBridge } from '../support/neon-bridge.ts'
import { createDatabase, startTlsPostgres, type TestDatabase, type TlsPostgres } from '../support/postgres.ts'
import type { Lab, Place, Runtime, Seen, TlsServer, Way } from './suite/case.ts'

interface Scripted {
  server: Server
  accepted: number
  sockets: Set<Socket>
}

export class LabServer implements AsyncDisposable {
  readonly database: TestDatabase
  readonly proxy: FaultProxy
  readonly #bridge: NeonBridge
  readonly #tls: (() => Promise<TlsServer>) | undefined
  readonly #http: HttpServer
  readonly #scripted = new Map<number, Scripted>()
  #before = { connections: 0, requests: 0 }

  private constructor(
    database: TestDatabase,
    proxy: FaultProxy,
    bridge: NeonBridge,
    http: HttpServer,
    tls: (() => Promise<TlsServer>) | undefined,
  ) {
    this.database = database
    this.proxy = proxy
    this.#bridge = bridge
    this.#http = http
    this.#tls = tls
  }

  /** @param through what stands between the proxy and the server: a gateway, given the server's URL */
  static async start(
    tls?: () => Promise<TlsServer>,
    through: (url: string) => Promise<string> = async url => url,
  ): Promise<LabServer> {
    const database = await createDatabase()
    // A zone with minutes and seconds in its history: not every offset is one of hours.
    await database.query(`alter database ${database.name} set timezone = 'Europe/Prague'`)
    const proxy = await FaultProxy.start(await through(database.url))
    const bridge = await NeonBridge.start(proxy.url)
    const http = createHttpServer()
    const lab = new LabServer(database, proxy, bridge, http, tls)
    http.on('request', async (request, response) => {
      const given = JSON.parse(await text(request)) as unknown[]
      const call = lab.#calls[request.url!.slice(1) as keyof Lab] as (...given: unknown[]) => Promise<unknown>
      const body = await call(...given).then(
        value => ({ value }),
        (error: Error) => ({ error: error.message }),
      )
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    return lab
  }

  place(runtime: Runtime, way: Way): Place {
    const { port } = this.#http.address() as AddressInfo
    return { runtime, way, url: this.proxy.url, lab: `http://127.0.0.1:${port}`, neon: this.#bridge.settings }
  }

  readonly #calls: Lab = {
    reset: async () => {
      const { proxy } = this
      proxy.fault = null
      proxy.latencyMs = { toServer: 0, toClient: 0 }
      proxy.patienceMs = 5_000
      await proxy.listen()
      for (const { server, sockets } of this.#scripted.values()) closeAll(server, sockets)
      this.#scripted.clear()
      this.#before = { connections: proxy.connections.length, requests: this.#bridge.requests }
    },
    fault: async fault => {
      this.proxy.fault = fault
    },
    latency: async ms => {
      this.proxy.latencyMs = { toServer: ms, toClient: ms }
    },
    refuse: () => this.proxy.refuse(),
    listen: () => this.proxy.listen(),
    goDark: async () => this.proxy.goDark(),
    cut: async () => this.proxy.cut(),
    seen: async () => this.#seen(),
    saw: async statement => {
      const since = () => this.#since().some(({ ran }) => ran.some(each => each.startsWith(statement)))
      await this.proxy.until(since, statement)
    },
    query: (text, parameters) => this.database.query(text, parameters),
    scripted: answers => this.#script(answers),
    scriptedSeen: async port => {
      const { accepted, sockets } = this.#scripted.get(port)!
      return { accepted, open: sockets.size }
    },
    closedPort: async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      server.close()
      await once(server, 'close')
      return port
    },
    tls: async () => {
      if (!this.#tls) throw new Error('no TLS server here')
      return this.#tls()
    },
  }

  #since() {
    return this.proxy.connections.slice(this.#before.connections)
  }

  #seen(): Seen {
    const connections = this.#since()
    return {
      accepted: connections.length,
      open: connections.filter(({ open }) => open).length,
      cancels: connections.filter(({ kind }) => kind === 'cancel').length,
      requests: this.#bridge.requests - this.#before.requests,
      statements: connections.flatMap(({ ran }) => ran),
      connections: connections.map(({ flights, startUpFlights = null, open, parameters }) => ({
        ...{ flights, startUpFlights, open },
        parameters: Object.fromEntries(parameters ?? []),
      })),
    }
  }

  async #script(answers: readonly string[]): Promise<number> {
    const sockets = new Set<Socket>()
    const scripted: Scripted = { server: createServer(), accepted: 0, sockets }
    scripted.server.on('connection', socket => {
      scripted.accepted++
      sockets.add(socket)
      const left = [...answers]
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
      socket.on('data', () => {
        const answer = left.shift()
        if (answer !== undefined) socket.write(Buffer.from(answer, 'hex'))
      })
    })
    scripted.server.listen(0, '127.0.0.1')
    await once(scripted.server, 'listening')
    const { port } = scripted.server.address() as AddressInfo
    this.#scripted.set(port, scripted)
    return port
  }

  async stop(): Promise<void> {
    for (const { server, sockets } of this.#scripted.values()) closeAll(server, sockets)
    this.#http.close()
    this.#http.closeAllConnections()
    await this.#bridge.stop()
    await this.proxy.stop()
    await this.database.drop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

function closeAll(server: Server, sockets: ReadonlySet<Socket>): void {
  server.close()
  for (const socket of sockets) socket.destroy()
}

/** A server that speaks TLS, with its authority's certificate in a file; started when it is first asked for. */
export function lazyTlsServer(): { get: () => Promise<TlsServer>; stop: () => Promise<void> } {
  let started: Promise<{ postgres: TlsPostgres; folder: string; server: TlsServer }> | undefined
  const start = async () => {
    const postgres = await startTlsPostgres()
    const folder = await mkdtemp(join(tmpdir(), 'sluice-tls-'))
    const ca = join(folder, 'ca.pem')
    const otherCa = join(folder, 'other.pem')
    await writeFile(ca, postgres.ca)
    const other = await generate([{ name: 'commonName', value: 'another authority' }], {
      algorithm: 'sha256',
    })
    await writeFile(otherCa, other.cert)
    const { url, localhostUrl } = postgres
    return { postgres, folder, server: { url, localhostUrl, ca, otherCa } }
  }
  return {
    get: async () => {
      started ??= start()
      return (await started).server
    },
    stop: async () => {
      if (!started) return
      const { postgres, folder } = await started
      await postgres.stop()
      await rm(folder, { recursive: true })
    },
  }
}
