import { expect, test } from 'vitest'
import { type Context, Contexts } from './contexts.ts'

const app: Context = {
  origin: 'db:5432',
  database: 'app',
  sessionUser: 'ada',
  settings: [['timezone', 'UTC']],
}

test('the same user, database and settings are one number, in whatever order they are told', () => {
  const contexts = new Contexts()
  const settings: [string, string][] = [
    ['timezone', 'UTC'],
    ['app.tenant', 'x'],
  ]
  const number = contexts.numberOf({ ...app, settings })
  expect(contexts.numberOf({ ...app, settings: settings.toReversed() })).toBe(number)
})

test.each<[string, Partial<Context>]>([
  ['origin', { origin: 'other:5432' }],
  ['database', { database: 'appada' }],
  ['user', { sessionUser: 'bob' }],
  ['value', { settings: [['timezone', 'Europe/Zurich']] }],
  ['parameter', { settings: [['app.tenant', 'UTC']] }],
])('another %s is another number', (_, other) => {
  const contexts = new Contexts()
  expect(contexts.numberOf({ ...app, ...other })).not.toBe(contexts.numberOf(app))
})

test('a number never means two contexts: what was forgotten comes back as another', () => {
  const contexts = new Contexts(2)
  const numberOf = (sessionUser: string) => contexts.numberOf({ ...app, sessionUser })
  const first = numberOf('ada')
  numberOf('bob')
  expect(numberOf('ada')).toBe(first)
  const third = numberOf('cyd')
  expect(numberOf('bob')).toBeGreaterThan(third)
})
