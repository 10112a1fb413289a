/** Names of statements in a client's encoding: directly and through the gateway the client hears the same. */
import { bind, describe as describes, execute, parse, query, sync } from '@sluice/wire'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { freshDatabase } from '../support/postgres.ts'
import { type RawClient, rawClient } from '../support/raw-client.ts'

const database = await freshDatabase()
const gateway = await startGateway(database.url, { connectionLimit: 1 })
afterAll(() => gateway.stop())

/** The same message with its text, which is all that is not ASCII in it, in LATIN1. */
function inLatin1(message: Uint8Array): Uint8Array {
  const body = Buffer.from(Buffer.from(message.subarray(5)).toString('utf8'), 'latin1')
  const length = Buffer.alloc(4)
  length.writeInt32BE(4 + body.length)
  return Buffer.concat([message.subarray(0, 1), length, body])
}

describe.each([
  ['directly', database.url],
  ['through the gateway', gateway.url],
])('%s', (_, url) => {
  describe.each([
    ['UTF8', (message: Uint8Array) => message, 'é'],
    // This client reads all as UTF-8.
    ['LATIN1', inLatin1, '\ufffd'],
  ])('in %s', (encoding, encoded, heard) => {
    let client: RawClient
    beforeEach(async () => {
      client = await rawClient(url, { parameters: { client_encoding: encoding } })
      return async () => client.destroy()
    })

    const said = async (...messages: Uint8Array[]) => {
      client.send(...messages.map(encoded), sync())
      return client.ready()
    }

    test('DEALLOCATE finds what a Parse made', async () => {
      expect(await said(parse('é', 'select 1'))).toEqual(['1', 'Z I'])
      client.send(encoded(query('deallocate "é"')))
      expect(await client.ready()).toEqual(['C(DEALLOCATE)', 'Z I'])
      expect(await said(describes('S', 'é'))).toEqual(['E 26000', 'Z I'])
      expect(await said(parse('é', 'select 2'))).toEqual(['1', 'Z I'])
      const deallocate = [parse('', 'deallocate é'), bind('', ''), execute()]
      expect(await said(...deallocate)).toEqual(['1', '2', 'C(DEALLOCATE)', 'Z I'])
      expect(await said(...deallocate)).toEqual(['1', '2', 'E 26000', 'Z I'])
    })

    test('an error names it as the client does', async () => {
      await said(parse('é', 'select 1'))
      expect(await said(parse('é', 'select 2'))).toEqual(['E 42P05', 'Z I'])
      expect(client.errors[0]?.message).toBe(`prepared statement "${heard}" already exists`)
    })

    test('pg_prepared_statements lists it', async () => {
      await said(parse('é', 'select 1'))
      expect(await client.query('select name, statement from pg_prepared_statements')).toContain(
        `D(${heard},select 1)`,
      )
    })
  })
})
