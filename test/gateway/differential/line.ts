/** One client's connections, one after another, to PostgreSQL or to a gateway, and all that was heard on them. */
import * as wire from '@sluice/wire'
import { type RawClient, rawClient } from '../../support/raw-client.ts'
import { Heard } from './heard.ts'

const watched = wire.watch({ whole: [...Array(256).keys()] })
const longestMessage = 16_777_216

export class Stuck extends Error {}

export class Line {
  readonly heard = new Heard()
  /** No connection is there. */
  closed = true
  /** Called with each answer, and at the end with 'closed'. */
  onWord: (word: string) => void = () => {}
  #client: RawClient | null = null
  #wake: () => void = () => {}

  async open(url: string, parameters: Record<string, string>): Promise<void> {
    const client = await rawClient(url, { parameters })
    this.#client = client
    this.closed = false
    const scanner = new wire.MessageScanner(watched, longestMessage)
    const { heard } = this
    for (const [name, value] of client.parameters) heard.hearParameter(name, value)
    heard.mark('logged in')
    client.socket.on('data', chunk => {
      scanner.feed(chunk, (type, bytes, start, end) => {
        const before = heard.words.length
        heard.hear(type, bytes.slice(start, end))
        if (heard.words.length > before) this.onWord(heard.words[before]!)
      })
      this.#wake()
    })
    const close = () => {
      if (this.closed) return
      this.closed = true
      client.socket.destroy()
      heard.mark('closed')
      this.onWord('closed')
      this.#wake()
    }
    client.socket.on('end', close)
    client.socket.on('close', close)
    client.socket.on('error', close)
  }

  send(bytes: Uint8Array): void {
    this.#client!.socket.write(bytes)
  }

  /** Waits until something holds of what was heard. */
  async until(holds: () => boolean, patienceMs: number): Promise<void> {
    const deadline = performance.now() + patienceMs
    while (!holds()) {
      const left = deadline - performance.now()
      if (left <= 0) throw new Stuck('stuck')
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  destroy(): void {
    this.#client?.destroy()
  }
}
