import { expect, test } from 'vitest'
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
