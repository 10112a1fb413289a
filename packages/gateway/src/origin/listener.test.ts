import { commandComplete, NotificationResponse, readyForQuery } from '@sluice/wire'
import { beforeEach, expect, test } from 'vitest'
import {
  type MemorySocket,
  MemoryTransport,
  VirtualClock,
} from '../../../../test/support/memory-transport.ts'
import { Listener, type Subscriber } from './listener.ts'
import { ServerConnection } from './server-connection.ts'
import { Values } from './values.ts'

/** From process 1, to the channel `news`, without a payload. */
const news = Uint8Array.of(NotificationResponse, 0, 0, 0, 14, 0, 0, 0, 1, ...Buffer.from('news'), 0, 0)

/** The server's end of each connection that was opened, the newest last, and what it was asked. */
let servers: { socket: MemorySocket; asked: string[]; silent: boolean }[]
let clock: VirtualClock
let transport: MemoryTransport
let listener: Listener
/** The next connection ends at once. */
let endsAtOnce: boolean

beforeEach(() => {
  servers = []
  endsAtOnce = false
  clock = new VirtualClock()
  transport = new MemoryTransport(socket => {
    const server = { socket, asked: [] as string[], silent: false }
    servers.push(server)
    socket.handler = {
      onData(chunk) {
        server.asked.push(Buffer.from(chunk.subarray(5, -1)).toString())
        if (!server.silent) socket.write(Buffer.concat([commandComplete('LISTEN'), readyForQuery('I')]))
      },
      onDrain() {},
      onEnd: () => socket.end(),
      onClose() {},
    }
  })
  listener = new Listener({
    clock,
    async open(keeper) {
      const nobody = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }
      const server = new ServerConnection(await transport.connect({}, nobody), keeper, {
        address: { host: 'origin', port: 5432 },
        ...{ key: null, reported: Values.none, now: clock.now() },
      })
      if (endsAtOnce) server.destroy(new Error('the server closed the connection'))
      endsAtOnce = false
      return server
    },
  })
})

/** Who listens to `news`, and what it hears. */
async function subscribed(): Promise<string[]> {
  const heard: string[] = []
  const subscriber: Subscriber = {
    onNotification: () => heard.push('notification'),
    onGap: () => heard.push('gap'),
  }
  listener.subscribe('news', subscriber, () => heard.push('listening'))
  await transport.settle()
  return heard
}

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1_000) {
    clock.advance(Math.min(left, 1_000))
    await transport.settle()
  }
}

test('a connection on which nobody listens any more is closed, and opened again without a gap', async () => {
  const subscriber: Subscriber = { onNotification() {}, onGap: () => expect.unreachable() }
  listener.subscribe('news', subscriber, () => {})
  await transport.settle()
  listener.unsubscribe('news', subscriber)
  await pass(31_000)
  expect(servers[0]!.socket.closed).toBe(true)
  expect(await subscribed()).toEqual(['listening'])
  expect(servers.length).toBe(2)
})

test('a server that answers keeps its connection, however long nothing is notified', async () => {
  const heard = await subscribed()
  await pass(300_000)
  expect(servers.length).toBe(1)
  servers[0]!.socket.write(news)
  await transport.settle()
  expect(heard).toEqual(['listening', 'notification'])
})

test('one that is silently gone is noticed within 40 s: the channels move, and who listens hears of the gap', async () => {
  const heard = await subscribed()
  servers[0]!.silent = true
  await pass(40_000)
  expect(heard).toEqual(['listening', 'gap'])
  expect(servers[1]!.asked).toEqual(['LISTEN "news"'])
  servers[1]!.socket.write(news)
  await transport.settle()
  expect(heard.at(-1)).toBe('notification')
})

test('a LISTEN that is not answered goes to a new connection', async () => {
  await subscribed()
  servers[0]!.silent = true
  const heard: string[] = []
  const subscriber: Subscriber = { onNotification() {}, onGap() {} }
  listener.subscribe('more', subscriber, () => heard.push('listening'))
  await pass(11_000)
  expect(heard).toEqual(['listening'])
  expect(servers[1]!.asked).toEqual(['LISTEN "news";LISTEN "more"'])
})

test('a connection that ended before it was there is opened again', async () => {
  endsAtOnce = true
  expect(await subscribed()).toEqual(['listening'])
  expect(servers.length).toBe(2)
})

test('once it is closed, nothing is left that would ask', async () => {
  await subscribed()
  listener.close()
  await transport.settle()
  expect(clock.timers).toBe(0)
})
