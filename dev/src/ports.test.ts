import net from 'node:net'
import { expect, test } from 'vitest'
import { fromPort, onAnyPort, PortTaken } from './ports.ts'

const listen = async (host: string, port = 0) => {
  const server = net.createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ host, port }, resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise<void>(resolve => server.close(() => resolve())),
  }
}

test('a port on which somebody listens is passed over', async () => {
  await using taken = await listen('127.0.0.1')
  expect(await fromPort(taken.port, async port => port)).toBeGreaterThan(taken.port)
})

test('a port that is taken on all addresses is taken', async () => {
  await using taken = await listen('0.0.0.0')
  expect(await fromPort(taken.port, async port => port)).toBeGreaterThan(taken.port)
})

test('a port that is lost between the look and the start is passed over', async () => {
  const tried: number[] = []
  const got = await fromPort(20_000, async port => {
    tried.push(port)
    if (tried.length === 1) throw new PortTaken(port)
    return port
  })
  expect(tried).toHaveLength(2)
  expect(got).toBe(tried[1])
})

test('any other error of the server is not taken for a lost port', async () => {
  const broken = () => Promise.reject(new Error('broken'))
  await expect(fromPort(20_000, broken)).rejects.toThrow('broken')
  await expect(onAnyPort(broken)).rejects.toThrow('broken')
})

test('the highest port is the last one that is tried', async () => {
  const taken = (port: number) => Promise.reject(new PortTaken(port))
  await expect(fromPort(65_534, taken)).rejects.toThrow('no port between 65534 and 65535 is free')
})
