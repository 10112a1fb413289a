import pg from 'pg'
import { describe, expect, inject, test } from 'vitest'
import { ClientRefused } from './refusal.ts'
import { readOptions, readStartupParameters } from './startup-parameters.ts'

const read = (parameters: Record<string, string>) =>
  readStartupParameters(new Map(Object.entries({ user: 'me', ...parameters })))

function refusal(what: () => unknown) {
  try {
    what()
  } catch (error) {
    if (error instanceof ClientRefused) return `${error.fields.code} ${error.fields.message}`
    throw error
  }
  return expect.unreachable('nothing was refused')
}

describe('the options of a connection', () => {
  test.each<[string, Record<string, string>]>([
    ['', {}],
    ['  ', {}],
    ['-c statement_timeout=4321', { statement_timeout: '4321' }],
    ['-cgeqo=off --work-mem=1MB', { geqo: 'off', work_mem: '1MB' }],
    ['-c  geqo=off\t-c geqo=on', { geqo: 'on' }],
    ['-c DateStyle=ISO,\\ DMY', { datestyle: 'ISO, DMY' }],
    ['-c a.b=x\\\\y', { 'a.b': 'x\\y' }],
    ['-c search_path=a=b', { search_path: 'a=b' }],
    ['-c application_name=', { application_name: '' }],
    // From a URL that was not decoded: for the server the plus sign is a part of the name.
    ['-c+geqo=off', { '+geqo': 'off' }],
  ])('%j are settings', (options, settings) => {
    expect(Object.fromEntries(readOptions(options))).toEqual(settings)
  })

  test.each([
    ['-c geqo', '42601 -c geqo requires a value'],
    ['--geqo', '42601 --geqo requires a value'],
    ['-c', '42601 invalid command-line argument for server process: -c'],
    ['geqo=off', '42601 invalid command-line argument for server process: geqo=off'],
    ['-S 100', '42601 invalid command-line argument for server process: -S'],
  ])('%j is refused', (options, expected) => {
    expect(refusal(() => readOptions(options))).toBe(expected)
  })

  test.each(['-c geqo', '--geqo', '-c', 'geqo=off'])(
    '%j is refused in the words of PostgreSQL',
    async options => {
      const client = new pg.Client({ connectionString: inject('postgresUrl'), options })
      const error = await client.connect().catch(error => error)
      expect(refusal(() => readOptions(options))).toBe(`${error.code} ${error.message}`)
    },
  )

  test.each(['-c geqo=off', '--work-mem=7MB', '-c DateStyle=SQL,\\ DMY', '-cwork_mem=7MB\t--geqo=off'])(
    '%j are the settings that PostgreSQL takes from it',
    async options => {
      const client = new pg.Client({ connectionString: inject('postgresUrl'), options })
      await client.connect()
      for (const [name, value] of readOptions(options)) {
        const { rows } = await client.query('select current_setting($1) as value', [name])
        expect(rows).toEqual([{ value }])
      }
      await client.end()
    },
  )
})

describe('the parameters of a StartupMessage', () => {
  test('are a user, a database and settings; the database is the user if none is named', () => {
    expect(read({ database: 'shop', TimeZone: 'UTC', '_pq_.x': '1', replication: 'off' })).toEqual({
      user: 'me',
      database: 'shop',
      settings: new Map([['timezone', 'UTC']]),
    })
    expect(read({}).database).toBe('me')
    expect(read({ database: '' }).database).toBe('me')
  })

  test('win over options, whatever their order', () => {
    const parameters = { geqo: 'on', options: '-c geqo=off' }
    expect(read(parameters).settings.get('geqo')).toBe('on')
  })

  test.each(['true', 'T', 'yes', 'on', '1', 'database'])('replication=%s names the direct URL', value => {
    expect(() => read({ replication: value })).toThrow(ClientRefused)
    try {
      read({ replication: value })
    } catch (error) {
      expect((error as ClientRefused).fields).toMatchObject({
        code: '0A000',
        hint: expect.stringContaining('direct URL'),
      })
    }
  })

  test.each(['false', 'F', 'n', 'off', '0'])('replication=%s is none', value => {
    expect(read({ replication: value }).user).toBe('me')
  })
})
