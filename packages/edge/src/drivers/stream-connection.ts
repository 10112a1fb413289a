/** What node-postgres and postgres.js share here: one DriverStream each, which knows status and end of its session. */
import type { DriverStream } from '../socket/stream.ts'
import type { Answer, ConnectRequest, DriverConnection, Statement } from './driver.ts'

/** Lets a driver log in on the stream; the signal ends that, and what fails leaves no stream behind. */
export async function logIn(
  stream: DriverStream,
  signal: AbortSignal,
  connect: () => PromiseLike<unknown>,
): Promise<void> {
  const abort = () => stream.destroy(signal.reason as Error)
  signal.addEventListener('abort', abort, { once: true })
  try {
    await connect()
  } catch (error) {
    stream.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

export abstract class StreamConnection implements DriverConnection {
  readonly cancel: DriverConnection['cancel']
  readonly #stream: DriverStream

  constructor(stream: DriverStream, { sendCancel }: ConnectRequest) {
    this.#stream = stream
    this.cancel = sendCancel && (signal => sendCancel(stream, signal))
  }

  abstract query(statement: Statement): Promise<Answer>
  abstract close(): void

  get status() {
    return this.#stream.status
  }
  get closed() {
    return this.#stream.closed || this.#stream.ending
  }
  get processId() {
    return this.#stream.cancelKey?.processId
  }
  destroy() {
    this.#stream.destroy()
  }
}
