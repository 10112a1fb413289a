/** Programs, made by fast-check: any message at any time, and often enough those that belong together. */
import fc from 'fast-check'
import type { Program, Said, Turn } from './program.ts'
import * as sql from './statements.ts'

const weighted = <Value>(...choices: readonly (readonly [number, fc.Arbitrary<Value>])[]) =>
  fc.oneof({ withCrossShrink: true }, ...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })))

const oneOf = (texts: readonly string[]) => fc.constantFrom(...texts)

const statement = weighted(
  [8, oneOf(sql.reads)],
  [5, oneOf(sql.writes)],
  [1, oneOf(sql.sequences)],
  [4, oneOf(sql.errors)],
  [9, oneOf(sql.transactions)],
  [10, oneOf(sql.settings)],
  [4, oneOf(sql.roles)],
  [5, oneOf(sql.cursors)],
  [4, oneOf(sql.prepared)],
  [3, oneOf(sql.pins)],
  [3, oneOf(sql.definitions)],
  [2, oneOf(sql.notifying)],
  [1, oneOf(sql.empty)],
  [1, oneOf(sql.copiesOut)],
  [1, oneOf(sql.large)],
)

const queried = weighted([30, statement], [1, oneOf(sql.named)])

/** The gateway does not look for names of statements in a text that is too long to be read. */
const readable = (text: string) => text.length < 16_384 || !/\bs\d\b/.test(text)

const many = fc
  .array(queried, { minLength: 2, maxLength: 4 })
  .map(texts => texts.join('; '))
  .filter(readable)

const query = (arbitrary: fc.Arbitrary<string>) =>
  arbitrary.map((text): Said => ({ say: 'Query', sql: text }))

const name = fc.constantFrom('', 's0', 's1', 's2')
const portal = fc.constantFrom('', '', '', 'p0', 'p1')
const rows = fc.constantFrom(0, 0, 0, 1, 2)
const binary = fc.constantFrom(false, false, false, true)

const bindable = weighted<(typeof sql.parameterised)[number]>(
  [3, statement.map(text => ({ sql: text, values: [] }))],
  [2, fc.constantFrom(...sql.parameterised)],
)

/** Parse and all that follows; some of it may be missing. */
const series = fc
  .record({
    prepared: bindable,
    ...{ name, portal, rows, binary },
    describes: fc.constantFrom<readonly ('S' | 'P')[]>([], ['S'], ['P'], ['S', 'P']),
    executions: fc.constantFrom(1, 1, 1, 2, 0),
    binds: fc.constantFrom(true, true, true, false),
    closes: fc.constantFrom<readonly ('S' | 'P')[]>([], [], ['S'], ['P'], ['P', 'S']),
    closesFirst: fc.boolean(),
  })
  .map(
    ({ prepared, name, portal, rows, binary, describes, executions, binds, closes, closesFirst }): Said[] => [
      ...(closesFirst ? [{ say: 'Close', what: 'S', name } as const] : []),
      { say: 'Parse', name, sql: prepared.sql, types: prepared.types ?? [] },
      ...(describes.includes('S') ? [{ say: 'Describe', what: 'S', name } as const] : []),
      ...(binds ? [{ say: 'Bind', portal, name, values: prepared.values, binary } as const] : []),
      ...(describes.includes('P') ? [{ say: 'Describe', what: 'P', name: portal } as const] : []),
      ...Array.from({ length: executions }, () => ({ say: 'Execute', portal, rows }) as const),
      ...closes.map(what => ({ say: 'Close', what, name: what === 'S' ? name : portal }) as const),
    ],
  )

/** A statement that was prepared before, if it was. */
const again = fc
  .record({ name, portal, rows, binary, values: fc.constantFrom([], [], ['1'], ['1', '2']) })
  .map(({ name, portal, rows, binary, values }): Said[] => [
    { say: 'Bind', portal, name, values, binary },
    { say: 'Execute', portal, rows },
  ])

const anyMessage: fc.Arbitrary<Said> = weighted<Said>(
  [2, fc.constant({ say: 'Sync' })],
  [1, fc.constant({ say: 'Flush' })],
  [2, fc.record({ say: fc.constant('Parse' as const), name, sql: statement, types: fc.constant([]) })],
  [
    2,
    fc.record({
      say: fc.constant('Bind' as const),
      ...{ portal, name, binary },
      values: fc.array(fc.constantFrom('1', 'x', null), { maxLength: 2 }),
    }),
  ],
  [2, fc.record({ say: fc.constant('Describe' as const), what: fc.constantFrom('S', 'P'), name })],
  [1, fc.record({ say: fc.constant('Describe' as const), what: fc.constant('P' as const), name: portal })],
  [2, fc.record({ say: fc.constant('Execute' as const), portal, rows })],
  [1, fc.record({ say: fc.constant('Close' as const), what: fc.constantFrom('S', 'P'), name })],
  [1, fc.record({ say: fc.constant('Close' as const), what: fc.constant('P' as const), name: portal })],
  [1, query(statement)],
  [
    1,
    fc.constantFrom<Said>(
      { say: 'FunctionCall', oid: 177, values: [2, 3] }, // int4pl
      { say: 'FunctionCall', oid: 154, values: [2, 0] }, // int4div
      { say: 'FunctionCall', oid: 1, values: [] },
    ),
  ],
  [1, fc.constant({ say: 'CopyDone' })],
  [1, fc.constant({ say: 'CopyFail' })],
  [1, oneOf(sql.data).map((data): Said => ({ say: 'CopyData', data }))],
)

/** A message that is none, as a driver with a fault would send it. */
const faulty = fc
  .record({ said: anyMessage, cut: fc.constantFrom(0, 1, 2, 3, 5, 8, 11) })
  .map(({ said, cut }): Said => ({ ...said, cut }))

const copyIn = fc
  .record({
    text: oneOf([...sql.copiesIn, ...sql.copiesAmong]),
    simple: fc.boolean(),
    data: fc.array(oneOf(sql.data), { maxLength: 4 }),
    amid: fc.constantFrom<Said['say'] | null>(null, null, null, 'Flush', 'Sync'),
    end: fc.constantFrom<'CopyDone' | 'CopyFail' | null>('CopyDone', 'CopyDone', 'CopyFail', null),
    ...{ name, portal },
  })
  .map(({ text, simple, data, amid, end, name, portal }): Said[] => [
    ...(simple || text.includes(';')
      ? [{ say: 'Query', sql: text } as const]
      : ([
          { say: 'Parse', name, sql: text, types: [] },
          { say: 'Bind', portal, name, values: [], binary: false },
          { say: 'Execute', portal, rows: 0 },
        ] as const)),
    ...(amid ? [{ say: amid } as Said] : []),
    ...data.map(each => ({ say: 'CopyData', data: each }) as const),
    ...(end ? [{ say: end }] : []),
  ])

const sync = fc.constant<Said>({ say: 'Sync' })
const terminate: Said = { say: 'Terminate' }

const says = weighted<Said[]>(
  [10, query(queried).map(each => [each])],
  [1, query(oneOf([...sql.listings, ...sql.named])).map(each => [each])],
  [3, query(many).map(each => [each])],
  [8, fc.tuple(series, sync).map(([all, end]) => [...all, end])],
  [3, fc.tuple(again, sync).map(([all, end]) => [...all, end])],
  // Pipelined: several series, with or without a Sync between them.
  [
    4,
    fc
      .array(weighted<Said[]>([4, series], [2, again], [2, sync.map(each => [each])]), {
        minLength: 2,
        maxLength: 5,
      })
      .map(parts => parts.flat()),
  ],
  [2, fc.array(query(statement), { minLength: 2, maxLength: 3 })],
  [2, copyIn],
  [3, fc.array(weighted([9, anyMessage], [1, faulty]), { minLength: 1, maxLength: 8 })],
  [1, fc.constant([terminate])],
  // It leaves, but not before it is answered.
  [1, query(queried).map(each => [each, terminate])],
  [1, fc.tuple(series, sync).map(([all, end]) => [...all, end, terminate])],
)

const start = fc.constantFrom<Record<string, string>>(
  {},
  {},
  {},
  { application_name: 'boot' },
  { DateStyle: 'SQL, DMY', options: '-c statement_timeout=4321s' },
)

/** A question, whole, in each way in which a driver may ask it. */
const questionOf = (some: readonly sql.Asked[]) =>
  fc
    .record({
      asked: fc.constantFrom(...some),
      nth: fc.nat(5),
      form: fc.constantFrom('query', 'unnamed', 'named', 'prepared'),
      describes: fc.constantFrom<readonly ('S' | 'P')[]>([], ['P'], ['P'], ['S'], ['S', 'P']),
      statement: fc.constantFrom('s1', 's2'),
      ...{ portal, binary },
    })
    .map(({ asked, nth, form, describes, statement, portal, binary }): Said[] => {
      const all = asked.values ?? [[]]
      const values = all[nth % all.length]!
      if (form === 'query' && !asked.values) return [{ say: 'Query', sql: asked.sql }]
      const name = form === 'named' || form === 'prepared' ? statement : ''
      const parses: readonly Said[] = [
        ...(name === '' ? [] : [{ say: 'Close', what: 'S', name } as const]),
        { say: 'Parse', name, sql: asked.sql, types: [] },
        ...(describes.includes('S') ? [{ say: 'Describe', what: 'S', name } as const] : []),
      ]
      const runs: readonly Said[] = [
        { say: 'Bind', portal, name, values, binary },
        ...(describes.includes('P') ? [{ say: 'Describe', what: 'P', name: portal } as const] : []),
        { say: 'Execute', portal, rows: 0 },
        { say: 'Sync' },
      ]
      // Prepared first, and then run, twice: as drivers do with what they have named.
      return form === 'prepared' ? [...parses, { say: 'Sync' }, ...runs, ...runs] : [...parses, ...runs]
    })

const change = query(weighted([14, oneOf(sql.changing)], [1, oneOf(sql.upsetting)]))

/** Asked, and asked again: by itself, and with what changes the answer before, between or behind it. */
const asksOf = (question: fc.Arbitrary<Said[]>) =>
  weighted<Said[]>(
    [9, question],
    [5, question.map(each => [...each, ...each])],
    [1, fc.tuple(question, change).map(([each, by]) => [...each, by, ...each])],
    [2, fc.tuple(change, question).map(([by, each]) => [by, ...each])],
    [3, change.map(each => [each])],
  )

const turnsOf = (says: fc.Arbitrary<Said[]>, minLength: number, maxLength: number) =>
  fc.array(fc.record<Turn>({ client: fc.nat(2), says, meanwhile: fc.constantFrom(false, false, true) }), {
    minLength,
    maxLength,
  })

const withTurns = (turns: fc.Arbitrary<Turn[]>): fc.Arbitrary<Program> =>
  fc.record({ pool: fc.constantFrom<1 | 3>(1, 3), starts: fc.tuple(start, start, start), turns })

export const programs = ({ turns = 12 } = {}): fc.Arbitrary<Program> => withTurns(turnsOf(says, 1, turns))

/** The same that ask a few questions again and again, so that a cache may answer them. */
export const askingPrograms = (): fc.Arbitrary<Program> =>
  withTurns(
    fc
      .subarray([...sql.asked], { minLength: 3, maxLength: 4 })
      .chain(some => turnsOf(weighted([9, asksOf(questionOf(some))], [1, says]), 10, 25)),
  )
