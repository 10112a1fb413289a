/**
 * A standby as far as a primary can tell: it takes the WAL, throws it away, and says that it is safe with it. For
 * `synchronous_standby_names`, with an acknowledgement that the test can hold back.
 *
 *     await using standby = await PhysicalReceiver.start(postgres.url, 'standby')
 *     standby.hold()       // commits wait: their WAL is flushed, and no new snapshot sees them
 *     standby.release()    // and they end
 *     standby.delayMs = 5  // each acknowledgement comes so much later
 */
import {
  CopyBothResponse,
  CopyData,
  DataRow,
  ErrorResponse,
  MessageScanner,
  parseErrorFields,
  query,
  ReadyForQuery,
  watch,
} from '@sluice/wire'
import { standbyStatusUpdate } from '@sluice/wire/pgoutput'
import { dialWith } from '../../packages/gateway/src/origin/dial.ts'
import { systemClock } from '../../packages/gateway/src/transport/clock.ts'
import { nodeTransport } from '../../packages/gateway/src/transport/node.ts'
import type { Socket } from '../../packages/gateway/src/transport/transport.ts'

const watched = watch({ whole: [CopyBothResponse, CopyData, DataRow, ErrorResponse, ReadyForQuery] })
/** A walsender sends 128 kB of WAL at most in one message. */
const longestMessage = 262_144

export class PhysicalReceiver implements AsyncDisposable {
  delayMs = 0
  readonly #socket: Socket
  readonly #scanner = new MessageScanner(watched, longestMessage)
  #position = ''
  #received = 0n
  #held: bigint | null = null
  #onStarted: () => void = () => {}
  #onFailed: (error: Error) => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.handler = {
      onData: chunk =>
        this.#scanner.feed(chunk, (type, bytes, start, end) => this.#take(type, bytes, start, end)),
      onDrain() {},
      onEnd: () => socket.end(),
      onClose() {},
    }
  }

  /** @param name as synchronous_standby_names has it */
  static async start(url: string, name: string): Promise<PhysicalReceiver> {
    const { hostname, port, username, password } = new URL(url)
    const receiver = await dialWith(
      {
        origin: { addresses: [{ host: hostname, port: Number(port) }], sslmode: 'disable' },
        ...{ user: decodeURIComponent(username), database: 'replication' },
        secret: { password: new TextEncoder().encode(decodeURIComponent(password)) },
        parameters: Object.entries({ replication: 'true', application_name: name }),
        ...{ transport: nodeTransport, clock: systemClock, timeoutMs: 5_000 },
      },
      new AbortController().signal,
      socket => new PhysicalReceiver(socket),
    )
    await new Promise<void>((resolve, reject) => {
      receiver.#onStarted = resolve
      receiver.#onFailed = reject
      receiver.#socket.write(query('IDENTIFY_SYSTEM'))
    })
    return receiver
  }

  /** What comes from here on is not acknowledged. */
  hold(): void {
    this.#held ??= this.#received
  }

  release(): void {
    this.#held = null
    this.#acknowledge()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy()
  }

  #take(type: number, bytes: Uint8Array, start: number, end: number): void {
    if (type === ErrorResponse) this.#onFailed(new Error(parseErrorFields(bytes, start, end).message))
    // systemid, timeline, xlogpos, dbname
    else if (type === DataRow) this.#position = /[0-9A-F]+\/[0-9A-F]+/.exec(text(bytes, start, end))![0]
    // A server that has nothing to tell says no more for 15 s.
    else if (type === CopyBothResponse) this.#onStarted()
    else if (type === ReadyForQuery) this.#socket.write(query(`START_REPLICATION PHYSICAL ${this.#position}`))
    else this.#copyData(new DataView(bytes.buffer, bytes.byteOffset + start, end - start))
  }

  #copyData(view: DataView): void {
    // XLogData: where it starts in the WAL, two fields more, the WAL itself. Else a keepalive, which is answered.
    if (view.getUint8(0) === 0x77) this.#received = view.getBigUint64(1) + BigInt(view.byteLength - 25)
    this.#acknowledge()
  }

  #acknowledge(): void {
    const position = this.#received
    const write = () => this.#socket.write(standbyStatusUpdate(this.#held ?? position))
    if (this.delayMs > 0) setTimeout(write, this.delayMs)
    else write()
  }
}

const text = (bytes: Uint8Array, start: number, end: number) =>
  new TextDecoder('latin1').decode(bytes.subarray(start, end))
