import { expect, test } from 'vitest'
import { Values } from '../origin/values.ts'
import { type Place, Traces } from './traces.ts'

/** Nothing of the database runs code that is not in the text. */
const suspects = { has: () => false, parameters: async () => new Set<string>(), change: () => 0 }
const place = (mode: Place['mode']): Place => ({ user: 'app', mode, suspects })
const traces = () => new Traces(place('transaction'), Values.none)
const askedFor = (text: string) => {
  const some = traces()
  some.onUnnamedSetting(Buffer.from(text))
  return [...some.probe().sql.matchAll(/current_setting\('([^']*\.[^']*)', true\)/g)].map(([, name]) => name)
}

test('each word with a dot may be the name of a parameter', () => {
  expect(askedFor(`select set_config('My.own', $1, false), 1.5, t.x`)).toEqual([
    ...['sluice.pool_mode', 'my.own', 't.x'],
  ])
})

test('a length before a name is not taken for a part of it', () => {
  expect(askedFor('\0\0\0\x37app.tenant\0')).toContain('app.tenant')
})

test.each([
  ['session', 'transaction', true],
  ['SESSION', 'transaction', true],
  ['transaction', 'session', false],
  ['sesion', 'session', true],
  ['sesion', 'transaction', false],
  ['', 'session', true],
] as const)('sluice.pool_mode "%s" where the configuration says %s', (asked, mode, keeps) => {
  const some = new Traces(place(mode), Values.none)
  const said = [null, 'app', 'none', null, false, false, false, false, [asked]]
  some.probe().read([[Buffer.from(JSON.stringify(said)).toString('hex')]])
  expect(some.keeps).toBe(keeps)
})
