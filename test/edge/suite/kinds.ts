/**
 * The one table of values: what is written, and what is read back, on every driver and in every way.
 *
 * `raw` is what `sql` and `db.execute` give; `dates` and `texts` what Drizzle gives with its dates and times in
 * `mode: 'date'` and `mode: 'string'`, where that differs. The session's time zone is Europe/Prague.
 */
import type { Sql } from '@sluice/edge'

export interface Sample {
  readonly write: unknown
  readonly raw: unknown
  readonly dates?: unknown
  readonly texts?: unknown
}

export interface Kind {
  readonly type: string
  readonly samples: readonly Sample[]
}

/** Written and read back the same. */
const same = (...values: unknown[]): Sample[] => values.map(value => ({ write: value, raw: value }))
const as = (write: unknown, raw: unknown): Sample => ({ write, raw })
/** A time: written as text, read as a Date (or Infinity) by raw and in date mode, as PostgreSQL's text in string mode. */
const time = (write: unknown, date: unknown, text: string): Sample => ({
  ...{ write, raw: date, dates: date, texts: text },
})
/** A date: text but in date mode. */
const day = (write: unknown, text: string, date: unknown): Sample => ({
  ...{ write, raw: text, dates: date, texts: text },
})

const utc = (year: number, month = 1, ...rest: number[]) => {
  const date = new Date(Date.UTC(2000, month - 1, ...rest))
  date.setUTCFullYear(year)
  return date
}

/** As the library gives bytea: a Buffer where there is one. */
const bytes = (...values: number[]): Uint8Array => {
  const { Buffer } = globalThis as { Buffer?: { from(bytes: number[]): Uint8Array } }
  return Buffer ? Buffer.from(values) : Uint8Array.from(values)
}

const oddTexts = [
  '',
  'plain',
  ' spaces ',
  'Žluťoučký kůň 🐎 “quoted”',
  `it's "quoted" and back\\slashed \\x41`,
  '{1,2}',
  'NULL',
  'null',
  '\t\r\n',
  '$1 ? :name --',
  '{"looks": "like JSON"}',
]

export const kindsOf = (sql: Pick<Sql, 'json'>) =>
  ({
    int2: { type: 'int2', samples: same(-32768, 0, 32767) },
    int4: { type: 'int4', samples: same(-2147483648, 2147483647) },
    int8: {
      type: 'int8',
      samples: [
        ...['9223372036854775807', '-9223372036854775808'].map(text => ({
          ...{ write: text, raw: text, dates: BigInt(text), texts: BigInt(text) },
        })),
        { write: 2n ** 53n + 1n, raw: '9007199254740993', dates: 2n ** 53n + 1n, texts: 2n ** 53n + 1n },
        { write: 7, raw: '7', dates: 7n, texts: 7n },
      ],
    },
    numeric: {
      type: 'numeric',
      samples: [
        ...same('12345678901234567890.0123456789', 'NaN', 'Infinity', '-0.50', '0'),
        as(1.5, '1.5'),
        as(10n ** 30n, `1${'0'.repeat(30)}`),
      ],
    },
    money15: { type: 'numeric(15,2)', samples: [as('99.9', '99.90'), as(5, '5.00')] },
    float4: {
      type: 'float4',
      samples: same(1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0),
    },
    float8: {
      type: 'float8',
      samples: same(0.1, 1e300, 5e-324, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0),
    },
    bool: { type: 'bool', samples: same(true, false) },
    text: { type: 'text', samples: same(...oddTexts) },
    varchar: { type: 'varchar(40)', samples: same('ünï', `'"\\`, '') },
    char: { type: 'char(5)', samples: [as('ab', 'ab   ')] },
    bytea: {
      type: 'bytea',
      samples: [
        as(Uint8Array.of(0, 1, 92, 39, 128, 255), bytes(0, 1, 92, 39, 128, 255)),
        as(new Uint8Array(0), bytes()),
        as(Uint8Array.of(1, 2, 3).buffer, bytes(1, 2, 3)),
      ],
    },
    date: {
      type: 'date',
      samples: [
        day('2024-02-29', '2024-02-29', utc(2024, 2, 29)),
        day(utc(2024, 2, 29, 12), '2024-02-29', utc(2024, 2, 29)),
        day('0044-03-15 BC', '0044-03-15 BC', utc(-43, 3, 15)),
        day('0099-12-31', '0099-12-31', utc(99, 12, 31)),
        day('12026-01-01', '12026-01-01', utc(12026)),
        day('infinity', 'infinity', Number.POSITIVE_INFINITY),
        day('-infinity', '-infinity', Number.NEGATIVE_INFINITY),
      ],
    },
    timestamp: {
      type: 'timestamp',
      samples: [
        time('2024-05-06 07:08:09.123', utc(2024, 5, 6, 7, 8, 9, 123), '2024-05-06 07:08:09.123'),
        time(utc(2024, 5, 6, 7, 8, 9, 10), utc(2024, 5, 6, 7, 8, 9, 10), '2024-05-06 07:08:09.01'),
        time('2024-05-06 07:08:56.789999', utc(2024, 5, 6, 7, 8, 56, 789), '2024-05-06 07:08:56.789999'),
        time('0044-03-15 12:00:00 BC', utc(-43, 3, 15, 12), '0044-03-15 12:00:00 BC'),
        time('0001-01-01 00:00:00', utc(1), '0001-01-01 00:00:00'),
        time(utc(12026, 5, 6), utc(12026, 5, 6), '12026-05-06 00:00:00'),
        time('infinity', Number.POSITIVE_INFINITY, 'infinity'),
        time('-infinity', Number.NEGATIVE_INFINITY, '-infinity'),
      ],
    },
    timestamptz: {
      type: 'timestamptz',
      samples: [
        time('2024-05-06 07:08:09.123+00', utc(2024, 5, 6, 7, 8, 9, 123), '2024-05-06 09:08:09.123+02'),
        time(utc(2024, 1, 2, 3, 4, 5, 6), utc(2024, 1, 2, 3, 4, 5, 6), '2024-01-02 04:04:05.006+01'),
        // Prague's mean time, 57 minutes and 44 seconds ahead.
        time('1800-01-01 00:57:44+00:57:44', utc(1800), '1800-01-01 00:57:44+00:57:44'),
        time(utc(-43, 3, 15, 12), utc(-43, 3, 15, 12), '0044-03-15 12:57:44+00:57:44 BC'),
        time('infinity', Number.POSITIVE_INFINITY, 'infinity'),
      ],
    },
    time: { type: 'time', samples: same('23:59:59.999999', '00:00:00') },
    timetz: { type: 'timetz', samples: same('12:00:00+02') },
    interval: { type: 'interval', samples: same('1 year 2 mons 3 days 04:05:06.789', '-00:00:01') },
    json: {
      type: 'json',
      samples: [
        as({ a: 1, b: [true, null], c: `"'\\ü` }, { a: 1, b: [true, null], c: `"'\\ü` }),
        as(sql.json('{"a":1}'), '{"a":1}'),
        as(sql.json([1, 'two', null]), [1, 'two', null]),
        as(sql.json(null), null),
      ],
    },
    jsonb: {
      type: 'jsonb',
      samples: [
        as({ a: { b: null }, when: '2024-01-01' }, { a: { b: null }, when: '2024-01-01' }),
        as(sql.json('{"a":1}'), '{"a":1}'),
        as(sql.json('123'), '123'),
        as(sql.json('null'), 'null'),
        as(sql.json('"quoted"'), '"quoted"'),
        as(sql.json('plain'), 'plain'),
        as(sql.json(12.5), 12.5),
        as(sql.json(false), false),
        as(sql.json(null), null),
        as(sql.json([]), []),
        as(sql.json([[1], { x: null }, null]), [[1], { x: null }, null]),
      ],
    },
    uuid: { type: 'uuid', samples: same('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11') },
    inet: { type: 'inet', samples: same('192.168.0.1/24', '10.1.2.3', '::1') },
    cidr: { type: 'cidr', samples: same('10.0.0.0/8', '2001:db8::/32') },
    mood: { type: 'mood', samples: same('happy', `it's "odd", {really}`) },
    moods: {
      type: 'mood[]',
      samples: [
        {
          write: ['happy', null, `it's "odd", {really}`],
          // The OID of an enum is the database's own: what isn't known stays text.
          raw: `{happy,NULL,"it's \\"odd\\", {really}"}`,
          dates: ['happy', null, `it's "odd", {really}`],
          texts: ['happy', null, `it's "odd", {really}`],
        },
        { write: [], raw: '{}', dates: [], texts: [] },
      ],
    },
    ints: {
      type: 'int4[]',
      samples: same(
        [1, null, -3],
        [],
        [
          [1, 2],
          [3, null],
        ],
      ),
    },
    bigints: {
      type: 'int8[]',
      samples: [
        {
          write: [9007199254740993n, null],
          raw: ['9007199254740993', null],
          dates: [9007199254740993n, null],
          texts: [9007199254740993n, null],
        },
      ],
    },
    texts: {
      type: 'text[]',
      samples: same(
        [...oddTexts, null, 'a,b', '}{', '"'],
        [],
        [
          ['a', null],
          ['"', '\\'],
        ],
      ),
    },
    varchars: { type: 'varchar[]', samples: same(['drama', 'sci-fi, noir', null]) },
    numerics: { type: 'numeric[]', samples: same(['1.50', 'NaN', null]) },
    bools: { type: 'bool[]', samples: same([true, null, false]) },
    uuids: { type: 'uuid[]', samples: same(['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', null]) },
    byteas: { type: 'bytea[]', samples: [as([Uint8Array.of(0, 255), null], [bytes(0, 255), null])] },
    instants: {
      type: 'timestamptz[]',
      samples: [
        {
          write: [utc(2024, 1, 2, 3, 4, 5, 6), null, 'infinity'],
          raw: [utc(2024, 1, 2, 3, 4, 5, 6), null, Number.POSITIVE_INFINITY],
          texts: ['2024-01-02 04:04:05.006+01', null, 'infinity'],
        },
      ],
    },
    jsonbs: {
      type: 'jsonb[]',
      samples: [
        as(
          [{ a: [1, null] }, sql.json('{"x":1}'), null, sql.json('"q"')],
          [{ a: [1, null] }, '{"x":1}', null, '"q"'],
        ),
      ],
    },
  }) satisfies Record<string, Kind>

/** The columns, as a table definition has them. */
export const columnsOf = (kinds: Record<string, Kind>) =>
  Object.entries(kinds)
    .map(([name, { type }]) => `${name} ${type}`)
    .join(', ')

/**
 * Rows that hold every sample, the k-th of each kind in row k, and NULL where a kind has no more; the last is all NULL.
 *
 * @param of which of a sample's values
 */
export function rowsOf(
  kinds: Record<string, Kind>,
  of: (sample: Sample) => unknown,
): Record<string, unknown>[] {
  const count = 1 + Math.max(...Object.values(kinds).map(({ samples }) => samples.length))
  return Array.from({ length: count }, (_, id) => {
    const cells = Object.entries(kinds).map(([name, { samples }]) => {
      const sample = samples[id]
      return [name, sample === undefined ? null : of(sample)]
    })
    return { id, ...Object.fromEntries(cells) }
  })
}

export const raw = ({ raw }: Sample) => raw
export const write = ({ write }: Sample) => write
export const dates = (sample: Sample) => ('dates' in sample ? sample.dates : sample.raw)
export const texts = (sample: Sample) => ('texts' in sample ? sample.texts : sample.raw)

/** The same shuffle for the same seed. */
export function shuffled<T>(list: readonly T[], seed: number): T[] {
  let state = seed
  // Numerical Recipes' generator: good enough to mix, the same everywhere.
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  return list
    .map(each => ({ each, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ each }) => each)
}
