import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Log, type LogLevel } from './log.ts'

function written(level: LogLevel, say: (log: Log) => void): string[] {
  const lines: string[] = []
  say(
    new Log(
      level,
      line => lines.push(line),
      () => new Date(0),
    ),
  )
  return lines
}

test('one line per event, with its fields behind', () => {
  expect(
    written('info', log => log.warn('the origin is down', { origin: 'db:5432', since: 3, hint: undefined })),
  ).toEqual(['1970-01-01T00:00:00.000Z warn the origin is down origin=db:5432 since=3\n'])
})

test('what is more talkative than the level is left out', () => {
  const lines = written('warn', log => {
    log.error('a')
    log.warn('b')
    log.info('c')
    log.debug('d')
  })
  expect(lines.map(line => line.at(-2))).toEqual(['a', 'b'])
})

test('a value can neither end its line nor pass for another field', () => {
  expect(written('info', log => log.info('event', { user: 'x level=error\n2026 error' }))[0]).toContain(
    ' user="x level=error\\n2026 error"\n',
  )
})

test('whatever a value is, it is one line that gives it back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), value => {
      const [line = ''] = written('info', log => log.info('event', { value }))
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
      expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
      const told = /value=(.*)\n$/s.exec(line)![1]!
      expect(told.startsWith('"') ? JSON.parse(told) : told).toBe(value)
    }),
  )
})
