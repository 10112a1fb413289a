import {
  bigint,
  boolean,
  customType,
  date,
  doublePrecision,
  integer,
  interval,
  json,
  jsonb,
  numeric,
  type PgColumn,
  pgEnum,
  pgTable,
  point,
  smallint,
  text,
  time,
  timestamp,
  uuid,
  vector,
} from 'drizzle-orm/pg-core'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { type DrizzleColumn, decode, decoderFor, decoderForDrizzle } from './decode.ts'
import { encode } from './encode.ts'

describe('a value', () => {
  test.each<[type: string, oid: number, text: string, value: unknown]>([
    ['bool', 16, 't', true],
    ['bool', 16, 'f', false],
    ['int2', 21, '-32768', -32768],
    ['int4', 23, '2147483647', 2147483647],
    ['oid', 26, '4294967295', 4294967295],
    ['float4', 700, '1.5', 1.5],
    ['float8', 701, 'NaN', Number.NaN],
    ['float8', 701, '-Infinity', Number.NEGATIVE_INFINITY],
    ['float8', 701, '-0', -0],
    ['int8', 20, '9223372036854775807', '9223372036854775807'],
    ['numeric', 1700, '0.10', '0.10'],
    ['money', 790, '$1,000.00', '$1,000.00'],
    ['text', 25, '{a}', '{a}'],
    ['uuid', 2950, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['inet', 869, '::1/128', '::1/128'],
    ['interval', 1186, '1 day 02:00:00', '1 day 02:00:00'],
    ['date', 1082, '2024-02-29', '2024-02-29'],
    ['time', 1083, '12:00:00', '12:00:00'],
    ['point', 600, '(1,2)', '(1,2)'],
    ['int4range', 3904, '[1,2)', '[1,2)'],
    ['an enum', 16400, 'open', 'open'],
    ['json', 114, '{"a": [1, null]}', { a: [1, null] }],
    ['jsonb', 3802, '"x"', 'x'],
    ['jsonb', 3802, 'null', null],
    ['bytea', 17, '\\x00ff10', Buffer.from([0, 255, 16])],
    ['bytea', 17, '\\x', Buffer.from([])],
    ['bytea as escapes', 17, 'a\\\\b\\000\\377', Buffer.from([97, 92, 98, 0, 255])],
  ])('of %s (%i) %j', (_type, oid, text, value) => {
    expect(decode(oid, text)).toEqual(value)
  })

  test.each<[text: string, iso: string]>([
    ['2024-02-29 12:34:56+00', '2024-02-29T12:34:56.000Z'],
    ['2024-02-29 12:34:56.789+00', '2024-02-29T12:34:56.789Z'],
    ['2024-02-29 12:34:56.789999+00', '2024-02-29T12:34:56.789Z'],
    ['2024-02-29 12:34:56.1+05:30', '2024-02-29T07:04:56.100Z'],
    ['2024-02-29 23:30:00-05', '2024-03-01T04:30:00.000Z'],
    ['1883-11-18 12:03:57-04:56:02', '1883-11-18T16:59:59.000Z'],
    ['2024-02-29 12:34:56', '2024-02-29T12:34:56.000Z'],
    ['0099-12-31 00:00:00+00', '0099-12-31T00:00:00.000Z'],
    ['0001-01-01 00:00:00 BC', '0000-01-01T00:00:00.000Z'],
    ['0044-03-15 12:00:00.5+00 BC', '-000043-03-15T12:00:00.500Z'],
    ['12026-01-02 03:04:05+00', '+012026-01-02T03:04:05.000Z'],
    ['275760-09-13 00:00:00+00', '+275760-09-13T00:00:00.000Z'],
  ])('the time %s is %s', (text, iso) => {
    expect(decode(1184, text)).toEqual(new Date(iso))
    expect(decode(1114, text)).toEqual(new Date(iso))
  })

  test('times without an end are numbers without an end', () => {
    expect(decode(1184, 'infinity')).toBe(Number.POSITIVE_INFINITY)
    expect(decode(1114, '-infinity')).toBe(Number.NEGATIVE_INFINITY)
  })

  test.each([
    'Thu Feb 29 12:34:56 2024 UTC',
    '02/29/2024 12:34:56 UTC',
    '29.02.2024 12:34:56 UTC',
    '294276-12-31 23:59:59+00',
  ])('a time that is not ISO, or that no Date can hold, stays text: %s', text => {
    expect(decode(1184, text)).toBe(text)
  })

  test('of any instant comes back from the text that PostgreSQL prints for it', () => {
    fc.assert(
      fc.property(
        fc.date({ noInvalidDate: true, min: new Date('-004712-01-01'), max: new Date(8.64e15) }),
        instant => {
          const printed = encode(instant, 1)!.replace('T', ' ').replace('Z', '+00')
          expect(decode(1184, printed)).toEqual(instant)
        },
      ),
    )
  })

  test('of any instant is the same whatever the time zone and the number of digits that it is printed with', () => {
    const instant = fc.date({
      noInvalidDate: true,
      min: new Date('-004000-01-01'),
      max: new Date('+270000-01-01'),
    })
    const quarters = fc.integer({ min: -15 * 4, max: 15 * 4 })
    fc.assert(
      fc.property(instant, quarters, fc.stringMatching(/^\d{0,3}$/), (utc, quarter, micros) => {
        const local = encode(new Date(+utc + quarter * 900_000), 1)!.replace('T', ' ')
        const abs = Math.abs(quarter)
        const minutes = abs % 4 ? `:${(abs % 4) * 15}` : ''
        const offset = `${quarter < 0 ? '-' : '+'}${String(abs >> 2).padStart(2, '0')}${minutes}`
        expect(decode(1184, local.replace('Z', `${micros}${offset}`))).toEqual(utc)
      }),
    )
  })

  test('of bytes comes back, in both formats, with and without Buffer', async () => {
    vi.stubGlobal('Buffer', undefined)
    vi.resetModules()
    const { decode: plain } = await import('./decode.ts')
    vi.unstubAllGlobals()
    fc.assert(
      fc.property(fc.uint8Array(), bytes => {
        const hex = encode(bytes, 1)!
        const escaped = Array.from(bytes, byte =>
          byte === 92
            ? '\\\\'
            : byte < 32 || byte > 126
              ? `\\${byte.toString(8).padStart(3, '0')}`
              : String.fromCharCode(byte),
        ).join('')
        expect(decode(17, hex)).toEqual(Buffer.from(bytes))
        expect(plain(17, hex)).toEqual(bytes)
        expect(decode(17, escaped)).toEqual(Buffer.from(bytes))
        expect(plain(17, escaped)).toEqual(bytes)
      }),
    )
  })
})

describe('an array', () => {
  test.each<[type: string, oid: number, text: string, value: unknown]>([
    ['bool', 1000, '{t,f,NULL}', [true, false, null]],
    ['int4', 1007, '[0:1]={1,2}', [1, 2]],
    [
      'float8',
      1022,
      '{{1.5,NaN},{Infinity,NULL}}',
      [
        [1.5, Number.NaN],
        [Number.POSITIVE_INFINITY, null],
      ],
    ],
    ['int8', 1016, '{9223372036854775807}', ['9223372036854775807']],
    ['numeric', 1231, '{0.10,NULL}', ['0.10', null]],
    ['text', 1009, '{"a,b",NULL,"NULL"}', ['a,b', null, 'NULL']],
    ['varchar', 1015, '{a}', ['a']],
    ['uuid', 2951, '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']],
    ['jsonb', 3807, '{"{\\"a\\": 1}",NULL}', [{ a: 1 }, null]],
    ['bytea', 1001, '{"\\\\x00ff"}', [Buffer.from([0, 255])]],
    [
      'timestamptz',
      1185,
      '{"2024-01-01 00:00:00+00",infinity}',
      [new Date('2024-01-01'), Number.POSITIVE_INFINITY],
    ],
    ['date', 1182, '{2024-01-01}', ['2024-01-01']],
    ['box', 1020, '{(1,1),(0,0);(2,2),(1,1)}', ['(1,1),(0,0)', '(2,2),(1,1)']],
    ['inet', 1041, '{::1,10.0.0.0/8}', ['::1', '10.0.0.0/8']],
    ['int4range', 3905, '{"[1,2)"}', ['[1,2)']],
    ['an unknown type', 16401, '{a,b}', '{a,b}'],
  ])('of %s (%i)', (_type, oid, text, value) => {
    expect(decode(oid, text)).toEqual(value)
  })
})

describe('through a Drizzle column', () => {
  const mood = pgEnum('mood', ['sad', 'NULL', 'a"b'])
  const upper = customType<{ data: string }>({ dataType: () => 'text', fromDriver: value => `<${value}>` })
  const all = pgTable('all', {
    int: integer(),
    small: smallint(),
    double: doublePrecision(),
    big: bigint({ mode: 'bigint' }),
    bigNumber: bigint({ mode: 'number' }),
    numeric: numeric(),
    numericNumber: numeric({ mode: 'number' }),
    bool: boolean(),
    text: text(),
    uuid: uuid(),
    json: json(),
    jsonb: jsonb(),
    date: date({ mode: 'date' }),
    dateText: date({ mode: 'string' }),
    stamp: timestamp({ mode: 'date' }),
    stampText: timestamp({ mode: 'string' }),
    stampTz: timestamp({ mode: 'date', withTimezone: true }),
    stampTzText: timestamp({ mode: 'string', withTimezone: true }),
    time: time(),
    interval: interval(),
    point: point(),
    pointObject: point({ mode: 'xy' }),
    mood: mood(),
    vector: vector({ dimensions: 2 }),
    custom: upper(),
    ints: integer().array(),
    bigs: bigint({ mode: 'bigint' }).array(),
    numerics: numeric().array(),
    numericNumbers: numeric({ mode: 'number' }).array(),
    texts: text().array(),
    textMatrix: text().array().array(),
    jsonbs: jsonb().array(),
    dates: date({ mode: 'date' }).array(),
    dateTexts: date({ mode: 'string' }).array(),
    stamps: timestamp({ mode: 'date' }).array(),
    stampTzs: timestamp({ mode: 'date', withTimezone: true }).array(),
    stampTexts: timestamp({ mode: 'string' }).array(),
    stampTzTexts: timestamp({ mode: 'string', withTimezone: true }).array(),
    intervals: interval().array(),
    points: point().array(),
    moods: mood().array(),
    customs: upper().array(),
  })
  /** As Drizzle's mapResultRow does it. */
  const through = (column: PgColumn, oid: number, printed: string) => {
    const value = decoderForDrizzle(oid, column as unknown as DrizzleColumn)(printed)
    return value === null ? null : column.mapFromDriverValue(value)
  }

  test.each<
    [name: Exclude<keyof typeof all.$inferSelect, symbol>, oid: number, printed: string, value: unknown]
  >([
    ['int', 23, '7', 7],
    ['small', 21, '7', 7],
    ['double', 701, '1.5', 1.5],
    ['big', 20, '9223372036854775807', 9223372036854775807n],
    ['bigNumber', 20, '7', 7],
    ['numeric', 1700, '0.10', '0.10'],
    ['numericNumber', 1700, '0.10', 0.1],
    ['bool', 16, 't', true],
    ['text', 25, '{a}', '{a}'],
    ['json', 114, '{"a":1}', { a: 1 }],
    ['json', 114, '"5"', '5'],
    ['jsonb', 3802, '"{\\"a\\": 1}"', '{"a": 1}'],
    ['jsonb', 3802, '"null"', 'null'],
    ['jsonb', 3802, '[1]', [1]],
    ['date', 1082, '2024-02-29', new Date('2024-02-29')],
    ['date', 1082, '0044-03-15 BC', new Date('-000043-03-15')],
    ['date', 1082, '12026-01-01', new Date('+012026-01-01')],
    ['dateText', 1082, '2024-02-29', '2024-02-29'],
    ['stamp', 1114, '2024-02-29 12:00:00.123456', new Date('2024-02-29T12:00:00.123Z')],
    ['stamp', 1114, '0044-03-15 12:00:00', new Date('0044-03-15T12:00:00Z')],
    ['stamp', 1114, 'infinity', Number.POSITIVE_INFINITY],
    ['stampText', 1114, '2024-02-29 12:00:00.123456', '2024-02-29 12:00:00.123456'],
    ['stampTz', 1184, '2024-02-29 12:00:00+05:30', new Date('2024-02-29T06:30:00Z')],
    ['stampTz', 1184, '1883-11-18 12:03:57-04:56:02', new Date('1883-11-18T16:59:59Z')],
    ['stampTz', 1184, '0044-03-15 12:00:00+00 BC', new Date('-000043-03-15T12:00:00Z')],
    ['stampTzText', 1184, '2024-02-29 12:00:00+00', '2024-02-29 12:00:00+00'],
    ['time', 1083, '12:00:00', '12:00:00'],
    ['interval', 1186, '1 day', '1 day'],
    ['point', 600, '(1,2)', [1, 2]],
    ['pointObject', 600, '(1,2)', { x: 1, y: 2 }],
    ['mood', 16400, 'sad', 'sad'],
    ['vector', 16402, '[1,2.5]', [1, 2.5]],
    ['custom', 25, 'x', '<x>'],
    ['ints', 1007, '{1,NULL}', [1, null]],
    ['bigs', 1016, '{1,NULL}', [1n, null]],
    ['numerics', 1231, '{0.10,NULL}', ['0.10', null]],
    ['numericNumbers', 1231, '{0.10,NULL}', [0.1, null]],
    ['texts', 1009, '{"a\\"\\\\b",NULL,"NULL",""}', ['a"\\b', null, 'NULL', '']],
    [
      'textMatrix',
      1009,
      '{{a,NULL},{"{}",b}}',
      [
        ['a', null],
        ['{}', 'b'],
      ],
    ],
    ['jsonbs', 3807, '{"\\"5\\"",NULL,"{\\"a\\": 1}"}', ['5', null, { a: 1 }]],
    ['dates', 1182, '{2024-02-29,NULL}', [new Date('2024-02-29'), null]],
    ['dateTexts', 1182, '{2024-02-29,NULL}', ['2024-02-29', null]],
    ['stamps', 1115, '{"2024-02-29 12:00:00",NULL}', [new Date('2024-02-29T12:00:00Z'), null]],
    ['stampTexts', 1115, '{"2024-02-29 12:00:00",NULL}', ['2024-02-29 12:00:00', null]],
    ['stampTzs', 1185, '{"2024-02-29 12:00:00+01"}', [new Date('2024-02-29T11:00:00Z')]],
    ['stampTzTexts', 1185, '{"2024-02-29 12:00:00+01"}', ['2024-02-29 12:00:00+01']],
    ['intervals', 1187, '{"1 day"}', ['1 day']],
    ['points', 1017, '{"(1,2)",NULL}', [[1, 2], null]],
    ['moods', 16401, '{sad,"NULL",NULL,"a\\"b"}', ['sad', 'NULL', null, 'a"b']],
    ['customs', 1009, '{"",a,NULL}', ['<>', '<a>', null]],
  ])('%s (%i) %j', (name, oid, printed, value) => {
    expect(through(all[name], oid, printed)).toEqual(value)
  })

  test('an array is still an array to those who keep or compare it', () => {
    const array = decoderForDrizzle(1009, all.texts as unknown as DrizzleColumn)('{a,NULL}')
    expect(array).toEqual(['a', null])
    expect(JSON.stringify(array)).toBe('["a",null]')
    expect(structuredClone(array)).toEqual(['a', null])
  })

  test('a field that is no column gets times as text, JSON parsed, and arrays that are plain', () => {
    expect(decoderForDrizzle(1184)('2024-01-01 00:00:00+00')).toBe('2024-01-01 00:00:00+00')
    expect(decoderForDrizzle(1182)('{2024-01-01,NULL}')).toEqual(['2024-01-01', null])
    expect(decoderForDrizzle(1185)('{"2024-01-01 00:00:00+00"}')).toEqual(['2024-01-01 00:00:00+00'])
    expect(decoderForDrizzle(3802)('{"a": 1}')).toEqual({ a: 1 })
    expect(decoderForDrizzle(23)('1')).toBe(1)
    const array = decoderForDrizzle(1009)('{a,NULL}') as unknown[]
    expect(array.map(each => each ?? 'none')).toEqual(['a', 'none'])
  })
})

test('one lookup serves all values of a column', () => {
  const decoder = decoderFor(1184)
  expect(['2024-01-01 00:00:00+00', 'infinity'].map(decoder)).toEqual([
    new Date('2024-01-01'),
    Number.POSITIVE_INFINITY,
  ])
})
