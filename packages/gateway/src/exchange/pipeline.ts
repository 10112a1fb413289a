/**
 * The exchanges in flight on one server connection, and what the server says to them.
 *
 * PostgreSQL answers in order and no answer carries an id, so the head of the queue owns the next byte.
 *
 *     bytes ──▶ │1│2│T│D│D│D│C│Z│1│2│…        headers are read, bodies of rows are not
 *               └─── head's sink ──┘└ next
 *
 * Messages go on in runs: as long as nothing is to be edited, a chunk is handed on as it came. The rest of a chunk
 * that ends within a small message is held back until the message is whole, so that a sink sees whole messages; large
 * ones (rows, mostly) go on in pieces.
 *
 * Invariants: (1) only the head's sink is called; (2) nothing follows an exchange that is open; (3) at most
 * `smallBytes` are held back.
 * Not here: who gets the connection (origin/pool.ts), what a connection lacks (session/replay.ts), sockets.
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Message Flow".
 */
import {
  BindComplete,
  CloseComplete,
  CommandComplete,
  CopyBothResponse,
  CopyData,
  CopyInResponse,
  DataRow,
  EmptyQueryResponse,
  ErrorResponse,
  NoData,
  NoticeResponse,
  NotificationResponse,
  ParameterDescription,
  ParameterStatus,
  ParseComplete,
  PortalSuspended,
  ProtocolError,
  ReadyForQuery,
  RowDescription,
} from '@sluice/wire'
import { type AnswerSink, Exchange, type TransactionStatus } from './exchange.ts'

/** What the server says of itself, whoever the head is. */
export interface ServerVoice {
  onParameterStatus(name: string, value: string): void
  /** The message's body is from `start` to `end`. */
  onNotification(bytes: Uint8Array, start: number, end: number): void
  /** An ErrorResponse that answers nothing: the server is about to close. */
  onUnasked(bytes: Uint8Array, start: number, end: number): void
}

const headerBytes = 5
const smallBytes = 65_536
const nothing = new Uint8Array(0)
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

export class Pipeline {
  readonly #voice: ServerVoice
  readonly #queue: Exchange[] = []
  /** A message's beginning that came at a chunk's end. */
  #held: Uint8Array = nothing
  /** Bytes that are still to come of a large message that goes on in pieces. */
  #passing = 0
  /** These bytes are left out: the message was cut. */
  #dropping = false
  #status: TransactionStatus = 'I'
  // While a chunk is fed: it, and where what was not handed on begins.
  #chunk: Uint8Array = nothing
  #from = 0
  /** What the head's sink said last: false asks to pause. */
  #flowing = true
  /** What has come of the answer that an edit concerns, in whole messages. */
  #heard: Uint8Array[] = []

  constructor(voice: ServerVoice) {
    this.#voice = voice
  }

  /** As ReadyForQuery said it last. Between two exchanges it is the truth about the connection. */
  get status(): TransactionStatus {
    return this.#status
  }

  /** Nothing that was sent owes an answer, and no part of an answer is here. */
  get settled(): boolean {
    return this.#queue.length === 0 && this.#held.length === 0 && this.#passing === 0
  }

  get depth(): number {
    return this.#queue.length
  }

  /** A large message has gone on in part. */
  get passing(): boolean {
    return this.#passing > 0 && !this.#dropping
  }

  /** True while an exchange in flight has edits, or its tags matter: what it makes or closes is not known yet. */
  get edited(): boolean {
    return this.#queue.some(({ edits, tags }) => tags !== null || (edits !== null && edits.length > 0))
  }

  /** Who hears the next byte. */
  get head(): Exchange | undefined {
    return this.#queue[0]
  }

  /** Begins an exchange behind all others. Its owner closes it when the tail is sent. */
  begin(sink: AnswerSink): Exchange {
    const last = this.#queue[this.#queue.length - 1]
    if (last?.open) throw new Error('an exchange was begun behind one that is open')
    const exchange = new Exchange(sink)
    this.#queue.push(exchange)
    return exchange
  }

  /**
   * Takes what the server sent.
   *
   * @returns false if the head's client does not keep up: pause the server connection until it does
   * @throws ProtocolError if this is not PostgreSQL's protocol, or an answer that nobody asked for
   */
  feed(chunk: Uint8Array): boolean {
    if (this.#held.length > 0) {
      const whole = new Uint8Array(this.#held.length + chunk.length)
      whole.set(this.#held)
      whole.set(chunk, this.#held.length)
      chunk = whole
      this.#held = nothing
    }
    this.#chunk = chunk
    this.#from = 0
    this.#flowing = true
    const length = chunk.length
    let at = 0
    if (this.#passing > 0) {
      at = Math.min(this.#passing, length)
      this.#passing -= at
      if (this.#dropping) this.#from = at
    }
    try {
      while (length - at >= headerBytes) {
        const type = chunk[at]!
        const size = (chunk[at + 1]! << 24) | (chunk[at + 2]! << 16) | (chunk[at + 3]! << 8) | chunk[at + 4]!
        if (size < 4 || (type === ParameterStatus && size > smallBytes))
          throw new ProtocolError(`a message of type ${type} claims ${size} bytes`)
        const end = at + 1 + size
        if (end > length) {
          const row = type === DataRow || type === CopyData
          if (!row && length - at < smallBytes) break
          if (this.#queue[0]?.edits) this.#sayBefore(type, at)
          // Too large to be held back. What stands in its first piece is all that is read of it.
          if (!row) this.#message(type, at, length)
          this.#dropping = this.#from === length
          this.#passing = end - length
          at = length
          break
        }
        if (this.#queue[0]?.edits) this.#sayBefore(type, at)
        if (type !== DataRow && type !== CopyData) this.#message(type, at, end)
        at = end
      }
    } catch (error) {
      // What stands before the fault is whole, and its owner must not be left in the middle of a message.
      this.#handOn(at)
      throw error
    }
    this.#handOn(at)
    // A copy, so that a few bytes do not keep a whole chunk in memory.
    if (at < length) this.#held = chunk.slice(at)
    this.#chunk = nothing
    return this.#flowing
  }

  /** A Flush: what is to be said is said as soon as its turn comes, and waits for no answer behind it. */
  settle(): void {
    const last = this.#queue[this.#queue.length - 1]
    if (!last) return
    last.flushed = last.asked
    if (last === this.#queue[0]) this.#say(last)
  }

  /** The connection is gone: every owner is told. */
  lost(cause: Error): void {
    const queue = this.#queue.splice(0)
    for (const exchange of queue) {
      this.#undo(exchange)
      exchange.sink.onLost(cause, true)
    }
  }

  #message(type: number, start: number, end: number): void {
    const head = this.#queue[0]
    switch (type) {
      case ReadyForQuery:
        this.#ready(head, start, end)
        return
      case ParseComplete:
      case BindComplete:
      case CloseComplete:
      case RowDescription:
      case NoData:
      case EmptyQueryResponse:
      case PortalSuspended:
      case CommandComplete:
        if (!head) throw unasked(type)
        if (type === CommandComplete) {
          head.copying = false
          if (head.commits) head.sink.onMayBeCommitted?.(head)
          head.tags?.push(utf8.decode(this.#chunk.subarray(start + headerBytes, end - 1)))
        }
        if (head.edits !== null) this.#answer(head, start, end, true)
        head.answered++
        if (head.edits !== null) this.#sayBehind(head, end)
        return
      case ParameterDescription:
        if (!head) throw unasked(type)
        if (head.edits !== null) this.#answer(head, start, end, false)
        return
      case ErrorResponse:
        this.#error(head, start, end)
        return
      case ParameterStatus:
        this.#parameterStatus(start, end)
        if (!head) this.#cut(start, end)
        return
      case NotificationResponse:
        this.#cut(start, end)
        this.#voice.onNotification(this.#chunk, start + headerBytes, end)
        return
      case CopyInResponse:
        if (!head) throw unasked(type)
        head.copying = true
        head.sink.onCopyIn(head)
        return
      case CopyBothResponse:
        throw new ProtocolError('the server began a replication stream that nobody asked for')
      default:
        // NoticeResponse, CopyOutResponse, CopyDone, FunctionCallResponse and what later versions may add: they pass.
        if (!head) this.#cut(start, end)
        else if (type === NoticeResponse && head.commits) head.sink.onMayBeCommitted?.(head)
    }
  }

  #ready(head: Exchange | undefined, start: number, end: number): void {
    if (!head || head.open || end - start !== 6) throw unasked(ReadyForQuery)
    const byte = this.#chunk[start + headerBytes]!
    const status = byte === 0x49 ? 'I' : byte === 0x54 ? 'T' : byte === 0x45 ? 'E' : null
    if (status === null) throw new ProtocolError(`ReadyForQuery with status ${byte}`)
    this.#status = status
    this.#undo(head)
    if (head.sink.onReady(status, head)) this.#cut(start, end)
    else this.#handOn(end)
    this.#queue.shift()
    head.sink.onAnswered(status, head)
    const next = this.#queue[0]
    if (next && next.flushed >= 0) this.#say(next)
  }

  /** A message of an exchange that has edits; the last one of an answer, or one of its parts. */
  #answer(head: Exchange, start: number, end: number, last: boolean): void {
    const edits = head.edits!
    const edit = edits[0]
    if (edit?.at !== head.answered) return
    this.#heard.push(this.#chunk.slice(start, end))
    if (edit.does === 'swallow') this.#cut(start, end)
    if (!last) return
    const answer = this.#heard
    this.#heard = []
    edits.shift()
    edit.onDone?.(answer)
  }

  /** What is to be said before this message, unless the server says it of itself, at any time. */
  #sayBefore(type: number, start: number): void {
    if (type === ParameterStatus || type === NotificationResponse || type === NoticeResponse) return
    const head = this.#queue[0]!
    const edit = head.edits![0]
    if (edit?.does !== 'say' || edit.at > head.answered) return
    this.#handOn(start)
    this.#say(head)
  }

  /** After a Flush what is to be said next comes at once: the server may have nothing more to say. */
  #sayBehind(head: Exchange, end: number): void {
    const edit = head.edits![0]
    if (edit?.does !== 'say' || edit.at > head.answered || edit.at > head.flushed) return
    this.#handOn(end)
    this.#say(head)
  }

  #say(head: Exchange): void {
    const edits = head.edits
    if (edits === null || head.failed) return
    while (edits[0]?.does === 'say' && edits[0].at <= head.answered) {
      const edit = edits.shift()!
      if (!head.sink.onBytes(edit.bytes!)) this.#flowing = false
      edit.onDone?.([])
    }
  }

  #error(head: Exchange | undefined, start: number, end: number): void {
    if (!head) {
      this.#cut(start, end)
      this.#voice.onUnasked(this.#chunk, start + headerBytes, end)
      return
    }
    head.failed = true
    head.copying = false
    if (head.commits) head.sink.onMayBeCommitted?.(head)
    // First undone: the error is told in the names that hold again.
    this.#undo(head)
    const instead = head.sink.onError(this.#chunk, start + headerBytes, end, head)
    if (instead === null) return
    this.#cut(start, end)
    if (instead.length > 0 && !head.sink.onBytes(instead)) this.#flowing = false
  }

  #undo(exchange: Exchange): void {
    const { edits } = exchange
    if (edits === null) return
    exchange.edits = null
    this.#heard = []
    // The last first: each puts back what was there before it.
    for (let at = edits.length - 1; at >= 0; at--) edits[at]!.onUndone?.()
  }

  #parameterStatus(start: number, end: number): void {
    const bytes = this.#chunk
    const nameEnd = bytes.indexOf(0, start + headerBytes)
    if (nameEnd === -1 || nameEnd >= end - 1 || bytes.indexOf(0, nameEnd + 1) !== end - 1)
      throw new ProtocolError('a ParameterStatus that is not a name and a value')
    const name = utf8.decode(bytes.subarray(start + headerBytes, nameEnd))
    this.#voice.onParameterStatus(name, utf8.decode(bytes.subarray(nameEnd + 1, end - 1)))
  }

  /** Hands what lies before `end`, and was not handed on, to the head. */
  #handOn(end: number): void {
    const from = this.#from
    this.#from = end
    if (from >= end) return
    const head = this.#queue[0]
    if (!head) throw unasked(this.#chunk[from]!)
    const whole = from === 0 && end === this.#chunk.length
    if (!head.sink.onBytes(whole ? this.#chunk : this.#chunk.subarray(from, end))) this.#flowing = false
  }

  /** Hands on what lies before a message, and leaves the message out. */
  #cut(start: number, end: number): void {
    this.#handOn(start)
    this.#from = end
  }
}

const unasked = (type: number) =>
  new ProtocolError(`the server sent a message (type 0x${type.toString(16)}) that answers nothing`)
