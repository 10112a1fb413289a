import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { createDatabase, freshDatabase } from '../../../../test/support/postgres.ts'

const database = await freshDatabase()
await database.query('create publication sluice')
const { port, username, password, pathname } = new URL(database.url)
const name = pathname.slice(1)
const plain = `plain_${name}`
await database.query(`create role ${plain} login password 'secret' connection limit 3`)

const entry = fileURLToPath(new URL('sluice.ts', import.meta.url))
const check = (...words: string[]) =>
  new Promise<{ code: unknown; stdout: string; stderr: string }>(resolve => {
    execFile(process.execPath, [entry, 'check', ...words], (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    )
  })
const as = (user: string, secret: string, database = name) =>
  `postgres://${user}:${secret}@127.0.0.1:${port}/${database}`

test('an origin that is well', async () => {
  const { code, stdout } = await check('--origin', database.url, '--pool-size', '20')
  expect(code).toBe(0)
  expect(stdout).toMatch(
    new RegExp(
      `ok {7}127.0.0.1:${port} is PostgreSQL 18\\S* *; "${username}" logged in to "${name}" in \\d+ ms`,
    ),
  )
  expect(stdout).toContain('Sluice may open 23 connections here, its own included')
  expect(stdout).toContain('PostgreSQL has 300 for it')
  expect(stdout).toContain('every role of the origin may come in')
  expect(stdout).toMatch(/\nThe gateway can serve\.\n$/)
  expect(stdout).not.toContain(password)
})

test('more connections than there are', async () => {
  const { code, stdout } = await check('--origin', database.url, '--pool-size', '400')
  expect(code).toBe(1)
  expect(stdout).toContain('WRONG    Sluice may open 403 connections here')
  expect(stdout).toContain('Set origin_connection_limit to 297 at most')
})

test('a role without rights, and with a limit of its own', async () => {
  const { code, stdout } = await check('--origin', as(plain, 'secret'))
  expect(code).toBe(1)
  expect(stdout).toContain(`no other role, for "${plain}" can't read pg_authid`)
  expect(stdout).toContain(`WRONG    role "${plain}" may have 3 connections, and Sluice may open 64`)
  expect(stdout).toContain("changes by others can't be told: permission denied to start WAL sender (42501)")
})

test('what makes the cache less good than it could be is advice', async () => {
  await using plain = await createDatabase()
  await plain.query('create table loose (v int); create publication sluice')
  const { code, stdout } = await check('--origin', plain.url)
  expect(code).toBe(0)
  expect(stdout).toContain(
    'advice   no stream can tell of changes in public.loose: where there is one, what reads it is not cached (max_age_untold)',
  )
  expect(stdout).toMatch(/\n {13}CREATE EVENT TRIGGER sluice_ddl ON ddl_command_end/)
  expect(stdout).toMatch(/\nThe gateway can serve\.\n$/)
})

test('a listed user whose password is not that of the role', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-check-'))
  const config = join(folder, 'sluice.toml')
  const user = (secret: string) => `[[hyperdrive.user]]\nname = "${plain}"\npassword = "${secret}"\n`
  const head = `[[hyperdrive]]\norigin = "${database.url}"\norigin_connection_limit = 20\n`
  await writeFile(config, head + user('guess'))
  const wrong = await check('--config', config)
  expect(wrong.code).toBe(1)
  expect(wrong.stdout).toContain(`refuses the listed user "${plain}": password authentication failed`)
  expect(wrong.stdout).not.toContain('guess')
  await writeFile(config, head + user('secret'))
  expect((await check('--config', config)).stdout).toMatch(/\nThe gateway can serve\.\n$/)
  await rm(folder, { recursive: true })
})

test('a wrong password, and a database that is not there', async () => {
  const wrong = await check('--origin', as(plain, 'guess'))
  expect(wrong.code).toBe(1)
  expect(wrong.stdout).toContain(
    `refuses "${plain}": password authentication failed for user "${plain}" (28P01)`,
  )
  const nowhere = await check('--origin', as(username, password, 'nowhere'))
  expect(nowhere.stdout).toContain('database "nowhere" does not exist (3D000)')
  expect(nowhere.stdout).toContain('CREATE DATABASE "nowhere", or name another one.')
})

test('nobody there', async () => {
  const { code, stdout } = await check('--origin', 'postgres://u:p@127.0.0.1:1/d')
  expect(code).toBe(1)
  expect(stdout).toContain('WRONG    nobody listens at 127.0.0.1:1')
})

test('as JSON', async () => {
  const { stdout } = await check('--origin', database.url, '--json')
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ version: 1, exitCode: 0, config: null },
    origins: [{ origin: name, lines: expect.arrayContaining([expect.objectContaining({ verdict: 'ok' })]) }],
  })
})

test('wrong usage', async () => {
  expect(await check('--orign', 'x')).toMatchObject({
    ...{ code: 2, stderr: "sluice check: Unknown option '--orign'. --help tells the options.\n" },
  })
})
