/** TLS as sslmode asks for it, against a server whose certificate is signed by an authority of our own. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { type Place, proves, type World } from './case.ts'

const skip = (place: Place) =>
  place.way.startsWith('neon')
    ? 'Neon’s driver speaks TLS by its WebSocket'
    : place.runtime === 'workerd' && 'workerd takes public authorities only, and by name'

const withParameters = (url: string, parameters: Record<string, string>) => {
  const changed = new URL(url)
  for (const [name, value] of Object.entries(parameters)) changed.searchParams.set(name, value)
  return changed.href
}

/** Whether the session is encrypted, as the server sees it. */
async function encrypted(world: World, url: string): Promise<boolean> {
  const sql = world.sql({ connectDeadlineMs: 4_000 }, url)
  const [row] = await sql<{ ssl: boolean }>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`
  return row!.ssl
}

const fails = (world: World, url: string, message: RegExp) =>
  assert.rejects(encrypted(world, url), (error: Error & { reason?: string; sent?: string }) => {
    assert.deepEqual([error.reason, error.sent], ['connect-failed', 'no'], error.stack)
    assert.match(error.message, message)
    return true
  })

export const tls = [
  proves(
    'sslmode decides whether a session is encrypted and what is verified',
    async world => {
      const { url, localhostUrl, ca, otherCa } = await world.lab.tls()
      const good = { sslrootcert: ca }
      assert.equal(await encrypted(world, withParameters(url, { sslmode: 'disable' })), false)
      for (const parameters of [
        {},
        { sslmode: 'allow' },
        { sslmode: 'prefer' },
        { sslmode: 'require' },
        { sslmode: 'require', ...good },
        { sslmode: 'verify-ca', ...good },
        { sslmode: 'verify-full', ...good },
        { sslmode: 'no-verify' },
      ] as Record<string, string>[])
        assert.equal(
          await encrypted(world, withParameters(url, parameters)),
          true,
          JSON.stringify(parameters),
        )
      assert.equal(
        await encrypted(world, withParameters(localhostUrl, { sslmode: 'verify-full', ...good })),
        true,
      )
      const unknown = /certificate|self.signed|issuer|verif/i
      await fails(world, withParameters(url, { sslmode: 'verify-ca' }), unknown)
      await fails(world, withParameters(url, { sslmode: 'verify-full' }), unknown)
      await fails(world, withParameters(url, { sslrootcert: 'system' }), unknown)
      for (const sslmode of ['require', 'verify-ca', 'verify-full'])
        await fails(world, withParameters(url, { sslmode, sslrootcert: otherCa }), unknown)
      await fails(
        world,
        withParameters(url, { sslmode: 'verify-full', sslrootcert: '/no/such/file.pem' }),
        /no such file|ENOENT/i,
      )
    },
    skip,
  ),

  proves(
    'verify-full refuses a certificate of another name, verify-ca does not',
    async world => {
      const { url, ca } = await world.lab.tls()
      // An address of this machine that the certificate does not name.
      const other = url.replace('127.0.0.1', '127.0.0.2')
      const reaches = await encrypted(world, withParameters(other, { sslmode: 'disable' })).catch(
        () => undefined,
      )
      if (reaches === undefined) return
      assert.equal(
        await encrypted(world, withParameters(other, { sslmode: 'verify-ca', sslrootcert: ca })),
        true,
      )
      await fails(
        world,
        withParameters(other, { sslmode: 'verify-full', sslrootcert: ca }),
        /altname|does not match|not in the cert|IP/i,
      )
    },
    skip,
  ),

  proves(
    'sslnegotiation=direct begins with the handshake',
    async world => {
      const { url, ca } = await world.lab.tls()
      const direct = { sslmode: 'verify-full', sslrootcert: ca, sslnegotiation: 'direct' }
      assert.equal(await encrypted(world, withParameters(url, direct)), true)
    },
    skip,
  ),

  proves(
    'a server without TLS is used by prefer, and refused by require',
    async world => {
      assert.equal(await encrypted(world, withParameters(world.place.url, { sslmode: 'prefer' })), false)
      await fails(world, withParameters(world.place.url, { sslmode: 'require' }), /no TLS.*sslmode/)
      await fails(world, withParameters(world.place.url, { sslmode: 'verify-full' }), /no TLS.*sslmode/)
    },
    place => place.way.startsWith('neon') && 'Neon’s driver speaks TLS by its WebSocket',
  ),

  proves(
    'bytes behind the answer to SSLRequest close the connection, and nothing of them is read',
    async world => {
      // S or N, and behind it what a man in the middle would have us believe.
      const error = '450000000a5365766572650000'
      for (const answer of ['53', '4e']) {
        for (const sslmode of ['prefer', 'require']) {
          const port = await world.lab.scripted([answer + error])
          await assert.rejects(
            encrypted(world, `postgres://user:password@127.0.0.1:${port}/db?sslmode=${sslmode}`),
            (error: Error & { reason?: string; sent?: string }) => {
              assert.equal(error.sent, 'no')
              assert.ok(error.reason === 'connect-failed' || error.reason === 'connect-deadline', error.stack)
              return true
            },
          )
          for (let look = 0; look < 50 && (await world.lab.scriptedSeen(port)).open > 0; look++)
            await pause(20)
          assert.equal((await world.lab.scriptedSeen(port)).open, 0)
        }
      }
    },
    place => place.way.startsWith('neon') && 'Neon’s driver speaks TLS by its WebSocket',
  ),

  proves(
    'a cancel request goes encrypted where the session is',
    async world => {
      const { url, ca } = await world.lab.tls()
      const sql = world.sql({}, withParameters(url, { sslmode: 'verify-full', sslrootcert: ca }))
      const began = performance.now()
      await assert.rejects(sql`select pg_sleep(20)`.with({ deadlineMs: 300 }), { reason: 'query-deadline' })
      assert.ok(performance.now() - began < 5_000)
      assert.equal((await sql`select 1`).length, 1)
    },
    place => skip(place) || (place.way.endsWith('binding') && 'that route carries no cancel'),
  ),
]
