import { readyForQuery } from '@sluice/wire'
import { beforeEach, expect, test } from 'vitest'
import {
  type MemorySocket,
  MemoryTransport,
  VirtualClock,
} from '../../../../test/support/memory-transport.ts'
import { Control } from './control.ts'
import { ServerConnection } from './server-connection.ts'
import { Values } from './values.ts'

/** The server's end of each connection that was opened, the newest last. */
let servers: MemorySocket[]
let clock: VirtualClock
let transport: MemoryTransport
let control: Control

beforeEach(() => {
  servers = []
  clock = new VirtualClock()
  transport = new MemoryTransport(socket => {
    servers.push(socket)
    socket.handler = {
      onData: chunk => {
        if (chunk[0] === 0x51) socket.write(readyForQuery('I'))
      },
      onDrain() {},
      onEnd: () => socket.end(),
      onClose() {},
    }
  })
  control = new Control(
    async keeper => {
      const nobody = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }
      return new ServerConnection(await transport.connect({}, nobody), keeper, {
        address: { host: 'origin', port: 5432 },
        ...{ key: null, reported: Values.none, now: clock.now() },
      })
    },
    { clock, timeoutMs: 5_000 },
  )
})

async function asked(): Promise<void> {
  const answer = control.query('select 1')
  await transport.settle()
  expect(await answer).toEqual([])
}

test('a connection over which nothing is asked is closed, and the next question opens another', async () => {
  await asked()
  clock.advance(1_000)
  control.closeIdle(clock.now(), 2_000)
  await asked()
  expect(servers.length).toBe(1)
  clock.advance(2_000)
  control.closeIdle(clock.now(), 2_000)
  await transport.settle()
  expect(servers[0]!.closed).toBe(true)
  await asked()
  expect(servers.length).toBe(2)
})

test('one that ends late does not take the place of the next', async () => {
  await asked()
  control.reset()
  await asked()
  await asked()
  expect(servers.map(({ closed }) => closed)).toEqual([true, false])
})

test('a question under way keeps its connection', async () => {
  const answer = control.query('select 1')
  clock.advance(1_000)
  control.closeIdle(clock.now(), 0)
  await transport.settle()
  expect(await answer).toEqual([])
})
