import * as wire from '@sluice/wire'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { AnswerSink, Edit, Exchange, TransactionStatus } from './exchange.ts'
import { Pipeline } from './pipeline.ts'

const { bindComplete, closeComplete, commandComplete, dataRow, noData, parseComplete, readyForQuery } = wire
const rows = wire.rowDescription([{ name: 'n' }])
const row = (value: string) => dataRow([value])
const raw = (type: number, ...body: number[]) => Uint8Array.of(type, 0, 0, 0, 4 + body.length, ...body)
const portalSuspended = raw(wire.PortalSuspended)
const parameters = raw(wire.ParameterDescription, 0, 1, 0, 0, 0, 23)
const copyIn = raw(wire.CopyInResponse, 0, 0, 0)
const failure = wire.errorResponse({ severity: 'ERROR', code: '22012', message: 'division by zero' })
const notification = raw(wire.NotificationResponse, 0, 0, 0, 7, 0x6e, 0, 0x70, 0)
const timeZone = wire.parameterStatus('TimeZone', 'UTC')

/** An owner that writes down what it hears, and of the bytes the messages' types. */
class Owner implements AnswerSink {
  /** In its order; bytes that follow each other are one entry. */
  readonly heard: (string | Uint8Array)[] = []
  keepsUp = true
  keepsReady = false
  instead: Uint8Array | null = null

  onBytes(chunk: Uint8Array): boolean {
    const last = this.heard.at(-1)
    if (last instanceof Uint8Array) this.heard[this.heard.length - 1] = Buffer.concat([last, chunk])
    else this.heard.push(Buffer.from(chunk))
    return this.keepsUp
  }

  onReady(status: TransactionStatus): boolean {
    this.heard.push(`ready ${status}`)
    return this.keepsReady
  }

  onAnswered(status: TransactionStatus): void {
    this.heard.push(`answered ${status}`)
  }

  onError(bytes: Uint8Array, start: number, end: number): Uint8Array | null {
    this.heard.push(`error ${wire.parseErrorFields(bytes, start, end).code}`)
    return this.instead
  }

  onCopyIn(): void {
    this.heard.push('copy in')
  }

  onLost(cause: Error, sent: boolean): void {
    this.heard.push(`lost ${cause.message} ${sent}`)
  }

  get events(): string[] {
    return this.heard.filter(entry => typeof entry === 'string')
  }

  get bytes(): Buffer {
    return Buffer.concat(this.heard.filter(entry => entry instanceof Uint8Array))
  }

  get types(): string {
    let types = ''
    new wire.MessageScanner(wire.watch({ noted: 'all others' })).feed(this.bytes, type => {
      types += String.fromCharCode(type)
    })
    return types
  }
}

let voice: string[]
let pipeline: Pipeline
beforeEach(() => {
  voice = []
  pipeline = newPipeline(voice)
})

function newPipeline(said: string[]): Pipeline {
  return new Pipeline({
    onParameterStatus: (name, value) => said.push(`${name}=${value}`),
    onNotification: (bytes, start, end) =>
      said.push(`notification of ${end - start} bytes from ${bytes[start + 3]}`),
    onUnasked: (bytes, start, end) => said.push(wire.parseErrorFields(bytes, start, end).code),
  })
}

function begin(owner: Owner, ...edits: Edit[]): Exchange {
  const exchange = pipeline.begin(owner)
  for (const edit of edits) exchange.edit(edit)
  exchange.open = false
  return exchange
}

const feed = (...messages: Uint8Array[]) => pipeline.feed(Buffer.concat(messages))

describe('whose bytes they are', () => {
  test('each owner hears its own answer, and ready before the bytes that say so', () => {
    const [a, b] = [new Owner(), new Owner()]
    begin(a)
    begin(b)
    feed(
      rows,
      row('1'),
      commandComplete('SELECT 1'),
      readyForQuery('T'),
      commandComplete('COMMIT'),
      readyForQuery('I'),
    )
    expect(a.heard).toEqual([
      ...[
        'ready T',
        Buffer.concat([rows, row('1'), commandComplete('SELECT 1'), readyForQuery('T')]),
        'answered T',
      ],
    ])
    expect(b.types).toBe('CZ')
    expect([pipeline.status, pipeline.settled, pipeline.depth]).toEqual(['I', true, 0])
  })

  test('a chunk that needs no edit goes on as it came', () => {
    const heard: Uint8Array[] = []
    const owner = Object.assign(new Owner(), { onBytes: (chunk: Uint8Array) => heard.push(chunk) > 0 })
    begin(owner)
    const chunk = Buffer.concat([rows, row('1'), row('2')])
    pipeline.feed(chunk)
    expect(heard[0]).toBe(chunk)
  })

  test('nothing follows an exchange whose tail is not sent', () => {
    pipeline.begin(new Owner())
    expect(() => pipeline.begin(new Owner())).toThrow('behind one that is open')
    expect(() => feed(readyForQuery('I'))).toThrow(wire.ProtocolError)
  })

  test('ReadyForQuery may be kept back by its owner', () => {
    const owner = Object.assign(new Owner(), { keepsReady: true })
    begin(owner)
    feed(commandComplete('SET'), readyForQuery('I'))
    expect([owner.types, owner.heard.at(-1)]).toEqual(['C', 'answered I'])
  })

  test('an owner that does not keep up pauses the server', () => {
    const owner = new Owner()
    begin(owner)
    expect(feed(rows)).toBe(true)
    owner.keepsUp = false
    expect(feed(row('1'))).toBe(false)
  })

  test('what the server says of itself goes to its voice; parameters are passed on as well', () => {
    const owner = new Owner()
    begin(owner)
    feed(timeZone, notification, commandComplete('SET'), readyForQuery('I'), timeZone, notification, failure)
    expect(owner.types).toBe('SCZ')
    const notified = 'notification of 8 bytes from 7'
    expect(voice).toEqual(['TimeZone=UTC', notified, 'TimeZone=UTC', notified, '22012'])
  })

  test('a connection that is lost is told to every owner', () => {
    const [a, b] = [new Owner(), new Owner()]
    let undone = 0
    begin(a)
    begin(b, { at: 0, does: 'watch', onUndone: () => undone++ })
    feed(rows)
    pipeline.lost(new Error('reset'))
    expect([a.heard.at(-1), b.heard, undone]).toEqual(['lost reset true', ['lost reset true'], 1])
  })
})

describe('edits', () => {
  test('what is watched passes, and is told when the whole answer has', () => {
    const owner = new Owner()
    const answers: string[] = []
    const exchange = begin(owner, {
      ...{ at: 1, does: 'watch' },
      onDone: answer => answers.push(answer.map(([type]) => String.fromCharCode(type!)).join('')),
    })
    feed(parseComplete(), parameters)
    expect(answers).toEqual([])
    feed(rows, readyForQuery('I'))
    expect([answers, owner.types, exchange.answered]).toEqual([['tT'], '1tTZ', 2])
  })

  test('what is swallowed is not heard, and what is said is heard in its place', () => {
    const owner = new Owner()
    const done: string[] = []
    begin(
      owner,
      { at: 0, does: 'swallow', onDone: () => done.push('swallowed') },
      { at: 1, does: 'say', bytes: closeComplete(), onDone: () => done.push('said') },
      { at: 3, does: 'say', bytes: parseComplete() },
    )
    feed(parseComplete(), bindComplete(), row('1'), commandComplete('SELECT 1'), readyForQuery('I'))
    expect([owner.types, done]).toEqual(['32DC1Z', ['swallowed', 'said']])
  })

  test('what is said before an Execute comes before its rows', () => {
    const owner = new Owner()
    begin(owner, { at: 1, does: 'say', bytes: closeComplete() })
    feed(bindComplete(), timeZone, row('1'), row('2'), commandComplete('SELECT 2'), readyForQuery('I'))
    expect(owner.types).toBe('2S3DDCZ')
  })

  test('what stands behind a Flush is said when there is nothing to wait for', () => {
    const owner = new Owner()
    const exchange = pipeline.begin(owner)
    exchange.edit({ at: 0, does: 'say', bytes: parseComplete() })
    pipeline.settle()
    expect(owner.types).toBe('1')
  })

  test('what stands behind a Flush is said when what stands before it is answered', () => {
    const owner = new Owner()
    const exchange = pipeline.begin(owner)
    exchange.asked = 1
    exchange.edit({ at: 1, does: 'say', bytes: closeComplete() })
    pipeline.settle()
    feed(bindComplete())
    expect(owner.types).toBe('23')
  })

  test('and if it stands behind another exchange, when that is over', () => {
    const first = new Owner()
    begin(first)
    const second = new Owner()
    pipeline.begin(second).edit({ at: 0, does: 'say', bytes: closeComplete() })
    pipeline.settle()
    expect(second.types).toBe('')
    feed(readyForQuery('I'))
    expect([first.types, second.types]).toEqual(['Z', '3'])
  })

  test('what was to come before an error is said, and what comes behind it is undone', () => {
    const owner = new Owner()
    const undone: number[] = []
    const edit = (at: number): Edit => ({
      at,
      does: 'say',
      bytes: closeComplete(),
      onUndone: () => undone.push(at),
    })
    begin(owner, edit(1), edit(2))
    feed(parseComplete(), failure, readyForQuery('I'))
    expect([owner.types, undone]).toEqual(['13EZ', [2]])
  })

  test('half an answer before an error is no part of the next one', () => {
    const owner = new Owner()
    const answers: number[] = []
    const watched = (): Edit => ({ at: 0, does: 'watch', onDone: answer => answers.push(answer.length) })
    begin(owner, watched())
    begin(owner, watched())
    feed(parameters, failure, readyForQuery('I'), parseComplete(), readyForQuery('I'))
    expect(answers).toEqual([1])
  })

  test('an error may be told in other words', () => {
    const owner = Object.assign(new Owner(), { instead: noData() })
    begin(owner)
    feed(failure, readyForQuery('I'))
    expect(owner.types).toBe('nZ')
  })
})

describe('any split of the bytes', () => {
  /** An answer to one message of a series, and how it may be edited. */
  const answer = fc.oneof(
    fc.record({ says: fc.constantFrom([parseComplete()], [bindComplete()], [parameters, rows], [noData()]) }),
    fc.record({
      says: fc
        .array(fc.integer(), { maxLength: 3 })
        .map(values => [...values.map(n => row(`${n}`)), portalSuspended]),
      passes: fc.constant(true),
    }),
  )
  const edited = fc.record({
    answer,
    does: fc.constantFrom('nothing', 'watch', 'swallow', 'say'),
    aside: fc.constantFrom([], [timeZone], [notification], [copyIn]),
  })
  const series = fc.record({
    answers: fc.array(edited, { maxLength: 6 }),
    failsAt: fc.option(fc.nat(6)),
    status: fc.constantFrom('I', 'T', 'E'),
  })
  const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 })

  type Series = typeof series extends fc.Arbitrary<infer T> ? T : never

  /** Plays the series to owners, in these pieces. */
  function play(all: readonly Series[], at: readonly number[] | 'each byte') {
    const said: string[] = []
    pipeline = newPipeline(said)
    const sent: Uint8Array[] = []
    const owners = all.map(({ answers, failsAt, status }) => {
      const owner = new Owner()
      const edits = answers.flatMap(({ answer, does }, place): Edit[] => {
        const note = {
          onDone: () => said.push(`${does} ${place}`),
          onUndone: () => said.push(`undone ${place}`),
        }
        if (does === 'say') return [{ at: place, does, bytes: closeComplete(), ...note }]
        if (does === 'nothing' || (does === 'swallow' && 'passes' in answer)) return []
        return [{ at: place, does, ...note }]
      })
      begin(owner, ...edits)
      const there = answers.slice(0, failsAt ?? undefined)
      sent.push(...there.flatMap(({ answer, aside }) => [...aside, ...answer.says]))
      if (there.length < answers.length) sent.push(failure)
      sent.push(readyForQuery(status))
      return owner
    })
    const bytes = Buffer.concat(sent)
    const places =
      at === 'each byte'
        ? [...bytes.keys()]
        : at.map(share => Math.floor(share * bytes.length)).sort((a, b) => a - b)
    for (const [n, from] of [0, ...places].entries())
      pipeline.feed(bytes.subarray(from, places[n] ?? bytes.length))
    return { said, owners, settled: pipeline.settled }
  }

  test('gives each owner the same, edits included', () => {
    fc.assert(
      fc.property(fc.array(series, { maxLength: 4 }), cuts, (all, at) => {
        const whole = play(all, [])
        expect(whole.settled).toBe(true)
        for (const pieces of [play(all, at), play(all, 'each byte')]) {
          expect(pieces.said).toEqual(whole.said)
          expect(pieces.owners.map(({ bytes }) => bytes)).toEqual(whole.owners.map(({ bytes }) => bytes))
          expect(pieces.owners.map(({ events }) => events)).toEqual(whole.owners.map(({ events }) => events))
        }
      }),
    )
  })

  test('gives each owner what the server said, edited', () => {
    fc.assert(
      fc.property(fc.array(series, { maxLength: 4 }), cuts, (all, at) => {
        const { owners } = play(all, at)
        for (const [n, { answers, failsAt, status }] of all.entries()) {
          const there = answers.slice(0, failsAt ?? undefined)
          const expected = there.flatMap(({ answer, does, aside }) => [
            ...aside.filter(([type]) => type === wire.ParameterStatus),
            ...(does === 'say' ? [closeComplete()] : []),
            ...aside.filter(([type]) => type === wire.CopyInResponse),
            ...(does === 'swallow' && !('passes' in answer) ? [] : answer.says),
          ])
          if (there.length < answers.length) {
            if (answers[there.length]!.does === 'say') expected.push(closeComplete())
            expected.push(failure)
          }
          expect(owners[n]!.bytes).toEqual(Buffer.concat([...expected, readyForQuery(status)]))
        }
      }),
    )
  })
})

describe('large messages', () => {
  const wide = wire.dataRow(['x'.repeat(200_000)])

  test('go on in pieces, and are known to be under way', () => {
    const owner = new Owner()
    begin(owner)
    pipeline.feed(wide.subarray(0, 1_000))
    expect([owner.bytes.length, pipeline.passing]).toEqual([1_000, true])
    pipeline.feed(wide.subarray(1_000))
    expect([owner.bytes.length, pipeline.passing]).toEqual([wide.length, false])
  })

  test('are swallowed in pieces, too', () => {
    const owner = new Owner()
    const description = wire.rowDescription(
      Array.from({ length: 3_000 }, (_, n) => ({ name: `column ${n}` })),
    )
    expect(description.length).toBeGreaterThan(65_536)
    begin(owner, { at: 0, does: 'swallow' })
    for (let at = 0; at < description.length; at += 30_000)
      pipeline.feed(description.subarray(at, at + 30_000))
    feed(commandComplete('SELECT 0'), readyForQuery('I'))
    expect(owner.types).toBe('CZ')
  })
})

describe('what is not PostgreSQL', () => {
  test('an answer that nobody asked for ends the connection', () => {
    for (const message of [
      parseComplete(),
      rows,
      row('1'),
      commandComplete('SELECT 1'),
      readyForQuery('I'),
      copyIn,
    ]) {
      pipeline = newPipeline(voice)
      expect(() => pipeline.feed(message), `type ${message[0]}`).toThrow(wire.ProtocolError)
    }
  })

  test('so does a length that is impossible, whatever is claimed', () => {
    for (const length of [0, 3, -1, -2_147_483_648]) {
      pipeline = newPipeline(voice)
      begin(new Owner())
      const message = Uint8Array.from(rows)
      new DataView(message.buffer).setInt32(1, length)
      expect(() => pipeline.feed(message), `length ${length}`).toThrow(wire.ProtocolError)
    }
  })

  test('what stands before a fault is handed on, so that nobody is left within a message', () => {
    const owner = new Owner()
    begin(owner)
    const whole = row('1234567890')
    pipeline.feed(whole.subarray(0, 10))
    const fault = raw(wire.CommandComplete)
    fault[4] = 1
    expect(() => feed(whole.subarray(10), fault)).toThrow(wire.ProtocolError)
    expect(owner.bytes).toEqual(Buffer.from(whole))
  })

  test('a claim alone costs no memory', () => {
    const owner = new Owner()
    begin(owner)
    const claim = Uint8Array.of(wire.CommandComplete, 0x7f, 0xff, 0xff, 0xff)
    pipeline.feed(claim)
    for (let left = 65_536; left > 0; left -= 8_192) pipeline.feed(new Uint8Array(8_192))
    expect(owner.bytes.length).toBeGreaterThanOrEqual(65_536)
    expect(pipeline.settled).toBe(false)
  })

  test('a parameter has a name and a value', () => {
    for (const body of [[], [65], [65, 0], [65, 0, 66], [65, 0, 66, 0, 67, 0]]) {
      pipeline = newPipeline(voice)
      expect(() => pipeline.feed(raw(wire.ParameterStatus, ...body)), `${body}`).toThrow(wire.ProtocolError)
    }
  })

  test('a replication stream, a status that does not exist', () => {
    begin(new Owner())
    expect(() => feed(raw(wire.CopyBothResponse, 0, 0, 0))).toThrow('replication')
    expect(() => feed(raw(wire.ReadyForQuery, 0x58))).toThrow('status 88')
  })
})
