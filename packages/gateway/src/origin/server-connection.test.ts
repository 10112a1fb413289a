import { commandComplete, dataRow, readyForQuery } from '@sluice/wire'
import { beforeEach, expect, test } from 'vitest'
import { type MemorySocket, MemoryTransport } from '../../../../test/support/memory-transport.ts'
import type { AnswerSink } from '../exchange/index.ts'
import { ServerConnection } from './server-connection.ts'
import { Values } from './values.ts'

let socket: MemorySocket
let server: ServerConnection
let gone: string[]
beforeEach(async () => {
  const transport = new MemoryTransport(() => {})
  socket = await transport.connect({}, { onData() {}, onDrain() {}, onEnd() {}, onClose() {} })
  gone = []
  server = new ServerConnection(
    socket,
    { onGone: (_, cause) => gone.push(cause.message), onNotification() {} },
    { address: { host: 'origin', port: 5432 }, key: null, reported: Values.none, now: 0 },
  )
})

/** An owner whose client does not keep up. */
const slow: AnswerSink = {
  onBytes: () => false,
  onReady: () => false,
  onAnswered: () => {},
  onError: () => null,
  onCopyIn: () => {},
  onLost: () => {},
}

const begin = (owner: AnswerSink) => {
  server.pipeline.begin(owner).open = false
}

test('the server is paused while its owner does not keep up', () => {
  begin(slow)
  server.onData(dataRow(['1']))
  expect(socket.paused).toBe(true)
})

test('but not once it has said all: whoever gets it next would wait for ever', () => {
  begin(slow)
  server.onData(Buffer.concat([dataRow(['1']), commandComplete('SELECT 1'), readyForQuery('I')]))
  expect([socket.paused, server.clean]).toEqual([false, true])
})

test('an owner that stumbles over what the server said costs the connection, and nothing else', () => {
  const stumbles = () => {
    throw new Error('no row came')
  }
  begin({ ...slow, onAnswered: () => server.afterFeed(stumbles) })
  expect(() => server.onData(Buffer.concat([commandComplete('SELECT 0'), readyForQuery('I')]))).not.toThrow()
  expect([server.closed, gone]).toEqual([true, ['no row came']])
})
