import { BackendKeyData, errorResponse, NoticeResponse } from '@sluice/wire'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pgDriver } from '../drivers/pg.ts'
import { postgresDriver } from '../drivers/postgres.ts'
import { parseUrl } from '../url.ts'
import type { RawSocket } from './raw.ts'
import { DriverStream } from './stream.ts'

const target = parseUrl('postgres://app:secret@db.example.com/app')
const silent: RawSocket = {
  write: () => {},
  end: () => {},
  destroy: () => {},
}

test.each([
  ['cleanly', undefined],
  ['by a reset', new Error('read ECONNRESET')],
])('a connection that closed %s before the driver listened is told to it', async (_, cause) => {
  for (const driver of [pgDriver, postgresDriver]) {
    const connecting = driver.connect({
      target,
      signal: AbortSignal.timeout(5_000),
      sendCancel: undefined,
      dial: async () => {
        const stream = new DriverStream()
        stream.attach(silent)
        stream.onClose(cause)
        return stream
      },
    })
    await expect(connecting).rejects.not.toMatchObject({ name: 'TimeoutError' })
  }
})

describe('an error or a notice whose fields have no end', () => {
  const message = (type: string, body: string) => {
    const bytes = new TextEncoder().encode(`${type}....${body}`)
    new DataView(bytes.buffer).setUint32(1, bytes.length - 1)
    return bytes
  }
  const endless = [
    message('E', 'SFATAL\0C28000\0Mno\0'),
    message('E', 'SFATAL\0C28000\0Mno'),
    message('E', 'SFATAL'),
    message('E', ''),
    message('E', '\0'),
    message('N', 'SWARNING\0'),
    message('E', `SFATAL\0M${'x'.repeat(100_000)}\0`),
  ]

  test.each(endless)('is refused before node-postgres looks for it for ever (%#)', async bytes => {
    const stream = new DriverStream()
    stream.attach({ ...silent, write: () => queueMicrotask(() => stream.onData(bytes)) })
    const connecting = pgDriver.connect({
      ...{ target, signal: AbortSignal.timeout(5_000), sendCancel: undefined },
      dial: async () => stream,
    })
    await expect(connecting).rejects.toThrow('the server sent an error that has no end')
    expect(stream.closed).toBe(true)
  })

  test('is found however it is cut, and one that has an end passes however it is cut', () => {
    const long = { code: '22P02', message: `invalid input: "${'x'.repeat(70_000)}"` }
    const sound = [
      errorResponse(long),
      errorResponse({ code: '01000', message: 'mind' }, NoticeResponse),
      message(String.fromCharCode(BackendKeyData), '12345678'),
    ]
    const given = fc.record({
      bytes: fc.constantFrom(
        ...sound.map(bytes => ({ bytes, refused: false })),
        ...endless.map(bytes => ({ bytes, refused: true })),
      ),
      // From the end: there the decision falls.
      cuts: fc.uniqueArray(fc.integer({ min: 1, max: 12 })),
    })
    fc.assert(
      fc.property(given, ({ bytes: { bytes, refused }, cuts }) => {
        const stream = new DriverStream()
        stream.attach(silent)
        const at = cuts
          .map(cut => bytes.length - cut)
          .filter(cut => cut > 0)
          .sort((a, b) => a - b)
        for (const [index, from] of [0, ...at].entries()) stream.onData(bytes.subarray(from, at[index]))
        expect(stream.closed).toBe(refused)
      }),
    )
  })
})
