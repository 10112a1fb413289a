/**
 * Sessions of real clients with a real PostgreSQL, through a gateway, written down on both sides.
 *
 *     client ──steps──▶ gateway ──units──▶ PostgreSQL
 *                               ◀─answers─
 *
 * A *unit* is what the server answers as a whole: up to a Query, Sync, Flush, FunctionCall, CopyDone or CopyFail. What
 * it answered to each is kept in a book, so that an origin can be played that knows what PostgreSQL says, to the
 * gateway's own queries too.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import * as wire from '@sluice/wire'
import { startGateway } from '../../support/gateway.ts'
import { rawClient } from '../../support/raw-client.ts'

export interface Recording {
  /** What each session's client sends after its login, message by message. */
  readonly sessions: readonly (readonly Uint8Array[])[]
  /** Answers by unit; see `unitKey`. */
  readonly answers: ReadonlyMap<string, Uint8Array>
  /** One of the answers to what the gateway asks of a session's state. */
  readonly probed: Uint8Array
  /** Of a login. */
  readonly parameters: ReadonlyMap<string, string>
}

const int32 = (n: number) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]
/** int4pl(2, 3), in text. */
const functionCall = Uint8Array.of(
  ...[wire.FunctionCall, ...int32(24), ...int32(177), 0, 0, 0, 2],
  ...[...int32(1), 0x32, ...int32(1), 0x33, 0, 0],
)

/** Messages that are sent together, and how many ReadyForQuery answer them; if none, any message does. */
interface Step {
  readonly send: readonly Uint8Array[]
  readonly readies: number
}

const { bind, close, copyData, copyDone, copyFail, describe, execute, flush, parse, query, sync } = wire

const step = (readies: number, ...send: Uint8Array[]): Step => ({ send, readies })
const queries = (...texts: string[]): Step[] => texts.map(text => step(1, query(text)))
const line = (text: string) => copyData(Buffer.from(`${text}\n`))

const scripts: readonly (readonly Step[])[] = [
  queries(
    ...['select 1', '', ';', 'select 1; select 2', 'select 1/0', 'selec'],
    `select 'ü', null, repeat('x', 9000)`,
  ),
  queries(
    ...['begin', 'savepoint a', 'select 1/0', 'rollback to a', 'insert into t values (1)'],
    ...['commit and chain', 'commit'],
  ),
  [
    step(1, parse('s1', 'select $1::int + 1'), describe('S', 's1'), sync()),
    step(1, bind('', 's1', '41'), describe('P', ''), execute(), sync()),
    step(2, bind('', 's1', null), execute(), sync(), bind('', 's1', 'x'), execute(), sync()),
    step(1, bind('p', 's1', '7'), execute('p', 1), close('P', 'p'), close('S', 's1'), sync()),
    step(1, bind('', 's1', '1'), sync()),
  ],
  [
    step(0, parse('', 'select n from generate_series(1, 5) n'), bind('c', ''), execute('c', 2), flush()),
    step(1, execute('c', 2), execute('c', 2), sync()),
    step(2, parse('', 'select 1/$1::int', [23]), bind('', '', '0'), execute(), sync(), query('select 3')),
  ],
  [
    step(0, query('copy t from stdin')),
    step(1, line('5'), line('6'), copyDone()),
    step(0, query('copy t from stdin')),
    step(1, line('7'), copyFail('no more')),
    step(1, query('copy (select * from t) to stdout')),
    step(0, parse('', 'copy t from stdin'), bind('', ''), execute(), flush()),
    step(1, line('8'), copyDone(), sync()),
  ],
  queries(
    ...[`set application_name = 'fuzz'`, `set my.own = '1'`, 'show my.own', 'begin'],
    ...[`set local work_mem = '5MB'`, 'rollback', 'reset all'],
    ...[`select set_config('my.' || 'other', '2', false)`, 'set role none', 'discard all'],
  ),
  queries(
    ...['select pg_advisory_lock(1)', 'select pg_advisory_unlock(1)', 'create temp table mine (n int)'],
    ...[
      'drop table mine',
      'begin',
      'declare h cursor with hold for select 1',
      'commit',
      'fetch h',
      'close h',
    ],
    ...['prepare q as select 1', 'execute q', 'deallocate q', 'deallocate all'],
  ),
  queries('listen news', `notify news, 'hello'`, 'unlisten news', 'listen "a b"', 'unlisten *'),
  [
    step(1, functionCall),
    ...queries(
      `do $$ begin raise notice 'note'; end $$`,
      'insert into t values (default)',
      'select lastval()',
    ),
  ],
]

/** Runs the scripts. The database has a table `t` with a column `n`. */
export async function record(databaseUrl: string): Promise<Recording> {
  const answers = new Map<string, Uint8Array>()
  using between = await listenIn(databaseUrl, answers)
  await using gateway = await startGateway(between.url, { connectionLimit: 1 })
  let parameters: ReadonlyMap<string, string> = new Map()
  for (const script of scripts) {
    await using client = await rawClient(gateway.url)
    parameters = client.parameters
    for (const { send, readies } of script) {
      client.send(...send)
      if (readies === 0) await client.until(() => client.heard.length > 0)
      for (let left = readies; left > 0; left--)
        if ((await client.ready()).at(-1) === 'closed')
          throw new Error(`closed: ${client.errors.at(-1)?.message}`)
    }
    await client.end()
  }
  return {
    sessions: scripts.map(script => script.flatMap(({ send }) => send)),
    answers,
    probed: probed(answers),
    parameters,
  }
}

function probed(answers: ReadonlyMap<string, Uint8Array>): Uint8Array {
  for (const [unit, answer] of answers) if (isProbe(Buffer.from(unit, 'latin1'))) return answer
  throw new Error('no probe was recorded')
}

export const isProbe = (unit: Uint8Array): boolean => Buffer.from(unit).includes('pg_my_temp_schema')

/** A server in between that writes down what is said through it. */
async function listenIn(databaseUrl: string, answers: Map<string, Uint8Array>) {
  const { hostname, port } = new URL(databaseUrl)
  const between = createServer(near => {
    const far = connect(Number(port), hostname)
    let said: Uint8Array[] = []
    let heard: Uint8Array[] = []
    near.on('data', chunk => {
      if (heard.length > 0) {
        note(answers, Buffer.concat(said), Buffer.concat(heard))
        said = []
        heard = []
      }
      said.push(chunk)
    })
    far.on('data', chunk => heard.push(chunk))
    near.on('close', () => note(answers, Buffer.concat(said), Buffer.concat(heard)))
    near.pipe(far).pipe(near)
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
  })
  between.listen(0, '127.0.0.1')
  await once(between, 'listening')
  const url = new URL(databaseUrl)
  url.host = `127.0.0.1:${(between.address() as AddressInfo).port}`
  return { url: url.href, [Symbol.dispose]: () => void between.close() }
}

/** One turn of a conversation: some units, and as many answers to them, or it is left out. */
function note(answers: Map<string, Uint8Array>, said: Uint8Array, heard: Uint8Array): void {
  const units = split(said, endsUnit)
  const parts = split(heard, type => type === wire.ReadyForQuery)
  // A login has chances of its own, and none in the played one.
  if (said[0] === 0 || said[0] === wire.PasswordMessage || units.length !== parts.length) return
  for (const [at, unit] of units.entries()) answers.set(unitKey(unit), parts[at]!)
}

/** Cuts whole messages into groups, each of which ends behind a message of such a type. */
export function split(bytes: Uint8Array, ends: (type: number) => boolean): Uint8Array[] {
  const groups: Uint8Array[] = []
  let start = 0
  let at = 0
  while (at + 5 <= bytes.length) {
    const next = at + 1 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(at + 1)
    if (ends(bytes[at]!)) {
      groups.push(bytes.subarray(start, next))
      start = next
    }
    at = next
  }
  if (start < bytes.length) groups.push(bytes.subarray(start))
  return groups
}

/** It makes the server answer. */
export const endsUnit = (type: number): boolean =>
  type === wire.Query ||
  type === wire.Sync ||
  type === wire.Flush ||
  type === wire.FunctionCall ||
  type === wire.CopyDone ||
  type === wire.CopyFail

/** A unit as a string, whatever numbers the gateway's names for statements have. */
export const unitKey = (unit: Uint8Array): string =>
  Buffer.from(unit)
    .toString('latin1')
    .replace(/sluice_\d+/g, 'sluice_n')
