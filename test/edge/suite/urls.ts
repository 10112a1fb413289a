/** URLs as dashboards hand them out: they connect, on every driver. */
import assert from 'node:assert/strict'
import { type Place, proves } from './case.ts'

const byNeon = (place: Place) =>
  place.way.startsWith('neon') && 'Neon’s driver reaches the proxy of its own, whatever the URL’s host'

export const urls = [
  proves(
    'a URL with the parameters of other clients connects, and none of them reaches the server',
    async world => {
      const others = {
        ...{
          sslmode: 'prefer',
          channel_binding: 'prefer',
          pgbouncer: 'true',
          pool_timeout: '10',
          connection_limit: '1',
        },
        ...{
          schema: 'public',
          sslrootcert: '',
          statement_cache_size: '0',
          prepareThreshold: '0',
          supa: 'base-pooler.x',
        },
        ...{
          client_encoding: 'LATIN1',
          replication: 'database',
          gssencmode: 'disable',
          keepalives: '1',
          uselibpqcompat: 'true',
        },
      }
      const url = world.urlWith(url => {
        for (const [name, value] of Object.entries(others)) url.searchParams.set(name, value)
      })
      const manager = world.manager()
      const sql = manager.getOptimalConnection(world.env(url))
      assert.deepEqual(
        [...(await sql`select ${'ř'}::text as text, current_setting('client_encoding') as e`)],
        [{ text: 'ř', e: 'UTF8' }],
      )
      assert.equal(
        await sql.transaction(async tx => (await tx<{ n: number }>`select ${1}::int as n`)[0]!.n),
        1,
      )
      for (const { parameters } of (await world.lab.seen()).connections) {
        // What drivers say of themselves, and nothing of the URL's.
        const known = ['user', 'database', 'client_encoding', 'application_name', 'options']
        for (const name of Object.keys(parameters)) assert.ok(known.includes(name), name)
        assert.notEqual(parameters.client_encoding, 'LATIN1')
      }
      // The fallback is tried before the outage.
      const report = await manager.checkConfig({ DATABASE_URL: url })
      assert.ok(report.ok, JSON.stringify(report))
      assert.match(JSON.stringify(report), /pool_timeout/)
    },
  ),

  proves(
    'settings that a URL means are set: search_path, a time-out, an application’s own, options',
    async world => {
      await world.lab.query('create schema if not exists "odd schema"')
      const url = world.urlWith(url => {
        url.searchParams.set('search_path', '"odd schema", public')
        url.searchParams.set('statement_timeout', '12345')
        url.searchParams.set('app.tenant', `O'Brien \\ Söhne`)
        url.searchParams.set('application_name', 'suite')
        url.searchParams.set('options', '-c geqo=off -c app.other=two\\ words')
        // As in libpq a plus sign is a plus sign.
        url.search = url.search.replaceAll('+', '%20')
      })
      const sql = world.sql({}, url)
      const [row] =
        await sql`select current_schema as schema, current_setting('statement_timeout') as timeout,
      current_setting('app.tenant') as tenant, current_setting('application_name') as name, current_setting('geqo') as geqo,
      current_setting('app.other') as other`
      assert.deepEqual(row, {
        ...{
          schema: 'odd schema',
          timeout: '12345ms',
          tenant: `O'Brien \\ Söhne`,
          name: 'suite',
          geqo: 'off',
        },
        other: 'two words',
      })
    },
    place => place.way === 'neon by HTTP' && 'Neon’s HTTP carries no settings of a session',
  ),

  proves('where the URL names a pooler no statement is named', async world => {
    const pooled = world.urlWith(url => url.searchParams.set('pgbouncer', 'true'))
    const named = async (url: string) => {
      const manager = world.manager({ maxConnections: 1 })
      const sql = manager.getOptimalConnection(world.env(url))
      return world.together(manager, async () => {
        for (let time = 0; time < 3; time++) await sql`select ${time}::int`
        const [row] = await sql<{
          n: number
        }>`select count(*)::int as n from pg_prepared_statements where name <> ''`
        return row!.n
      })
    }
    assert.equal(await named(pooled), 0)
    if (world.driver === 'postgres') assert.ok((await named(world.place.url)) > 0)
    // A statement that is given up on a pooler sends no CancelRequest: the key is of another's connection.
    const sql = world.sql({}, pooled)
    await assert.rejects(sql`select pg_sleep(5)`.with({ deadlineMs: 200 }), { reason: 'query-deadline' })
    assert.equal((await world.lab.seen()).cancels, 0)
  }),

  proves(
    'of several hosts the first that answers is taken',
    async world => {
      const { port, username, password, pathname } = new URL(world.place.url)
      const closed = await world.lab.closedPort()
      const url = `postgres://${username}:${password}@127.0.0.1:${closed},127.0.0.1:${port}${pathname}?sslmode=disable`
      const sql = world.sql({}, url)
      assert.deepEqual([...(await sql`select ${1}::int as one`)], [{ one: 1 }])
      assert.equal(await sql.transaction(async () => 'ok'), 'ok')
      const none = world.sql({}, url.replace(`:${port}/`, `:${closed}/`))
      await assert.rejects(none`select 1`, { reason: 'connect-failed', sent: 'no' })
    },
    byNeon,
  ),

  proves(
    'a host may be an IPv6 address, and a name',
    async world => {
      const { port, username, password, pathname } = new URL(world.place.url)
      const at = (host: string) => `postgres://${username}:${password}@${host}:${port}${pathname}`
      assert.equal((await world.sql({}, at('localhost'))`select 1`).length, 1)
      const six = world.sql({ connectDeadlineMs: 2_000 }, at('[::1]'))
      // The proxy listens on IPv4: what is asked for must be a refusal by that address, not a name looked up.
      await assert.rejects(six`select 1`, (error: Error & { reason?: string }) => {
        assert.equal(error.reason, 'connect-failed')
        assert.match(error.message, /::1/)
        assert.doesNotMatch(error.message, /ENOTFOUND|EAI_AGAIN|getaddrinfo/)
        return true
      })
    },
    byNeon,
  ),

  proves('passwords and names with odd characters log in, encoded or pasted raw', async world => {
    const password = `p@ss#w%rd/?&:=ü🐎 '"\\`
    const user = `odd@user#${new URL(world.place.url).pathname}`
    await world.lab.query(`do $$ begin
      create role "${user}" login password 'placeholder';
      exception when duplicate_object then null; end $$`)
    await world.lab.query(`alter role "${user}" password '${password.replaceAll("'", "''")}'`)
    const { host, pathname } = new URL(world.place.url)
    const encoded = `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}${pathname}`
    assert.deepEqual([...(await world.sql({}, encoded)`select current_user as me`)], [{ me: user }])
    const raw = `postgres://${encodeURIComponent(user)}:p@ss#w%25rd/?&:=ü🐎 '"\\@${host}${pathname}`
    assert.deepEqual([...(await world.sql({}, raw)`select current_user as me`)], [{ me: user }])
  }),
]
