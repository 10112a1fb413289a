/**
 * An origin that answers as PostgreSQL was recorded to, and in general terms where nothing was recorded. It is honest,
 * unless what it says is *spoilt* on its way; and it complains if the gateway sends what is no message.
 */
import * as wire from '@sluice/wire'
import type { SocketHandler } from '../../../packages/gateway/src/transport/transport.ts'
import type { MemorySocket } from '../../support/memory-transport.ts'
import { endsUnit, isProbe, type Recording, unitKey } from './recording.ts'

/** Puts something else in the place of what is said; null: nothing more is said. */
export type Spoil = (answer: Uint8Array, of: 'login' | 'answer') => readonly Uint8Array[] | null

export interface Stage {
  readonly recording: Recording
  readonly spoil: Spoil | null
  /** Type bytes of messages that came from the gateway. */
  onMessage(type: number): void
  /** The gateway sent what is no message. */
  onGarbage(what: string): void
}

const frontendTypes = new Set<number>([
  ...[
    wire.Bind,
    wire.Close,
    wire.CopyData,
    wire.CopyDone,
    wire.CopyFail,
    wire.Describe,
    wire.Execute,
    wire.Flush,
  ],
  ...[wire.FunctionCall, wire.Parse, wire.Query, wire.Sync, wire.Terminate],
])

export class PlayedOrigin implements SocketHandler {
  readonly socket: MemorySocket
  readonly #stage: Stage
  #held: Uint8Array = new Uint8Array(0)
  #loggedIn = false
  #unit: Uint8Array[] = []
  #status: 'I' | 'T' | 'E' = 'I'
  #copying = false

  constructor(socket: MemorySocket, stage: Stage) {
    this.socket = socket
    this.#stage = stage
    socket.handler = this
  }

  onData(chunk: Uint8Array): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    if (!this.#loggedIn && !this.#logIn()) return
    while (this.#held.length >= 5) {
      const type = this.#held[0]!
      const end = 1 + new DataView(this.#held.buffer, this.#held.byteOffset).getInt32(1)
      // Asked for by a login that was spoilt.
      const isPassword = type === wire.PasswordMessage && this.#stage.spoil !== null
      if ((!frontendTypes.has(type) && !isPassword) || end < 5) {
        this.#stage.onGarbage(`type ${type}, length ${end - 1}`)
        this.socket.destroy()
        return
      }
      if (end > this.#held.length) return
      const message = this.#held.subarray(0, end)
      this.#held = this.#held.subarray(end)
      this.#stage.onMessage(type)
      this.#take(type, message)
    }
  }

  onDrain(): void {}

  onEnd(): void {
    this.socket.end()
  }

  onClose(): void {}

  #logIn(): boolean {
    if (this.#held.length < 8) return false
    const view = new DataView(this.#held.buffer, this.#held.byteOffset)
    const length = view.getUint32(0)
    if (this.#held.length < length) return false
    this.#held = this.#held.subarray(length)
    if (view.getUint32(4) >>> 16 !== 3) {
      // A CancelRequest.
      this.socket.end()
      return false
    }
    this.#loggedIn = true
    const said = [wire.authenticationOk()]
    for (const [name, value] of this.#stage.recording.parameters)
      if (!name.startsWith('sluice')) said.push(wire.parameterStatus(name, value))
    said.push(wire.backendKeyData(4_711, Uint8Array.of(1, 2, 3, 4)), wire.readyForQuery('I'))
    this.#say(Buffer.concat(said), 'login')
    return true
  }

  #take(type: number, message: Uint8Array): void {
    if (type === wire.Terminate) {
      this.socket.end()
      return
    }
    if (this.#copying) {
      if (type === wire.CopyData || type === wire.Sync || type === wire.Flush) return
      this.#copying = false
      if (type !== wire.CopyDone && type !== wire.CopyFail) {
        this.#say(
          error('FATAL', '08P01', 'terminating connection because protocol synchronization was lost'),
          'answer',
        )
        this.socket.end()
        return
      }
    } else if (type === wire.CopyData || type === wire.CopyDone || type === wire.CopyFail) return
    this.#unit.push(message)
    if (!endsUnit(type)) return
    const unit = Buffer.concat(this.#unit)
    const messages = this.#unit
    this.#unit = []
    const { answers, probed } = this.#stage.recording
    const recorded = answers.get(unitKey(unit)) ?? (isProbe(unit) ? probed : undefined)
    const answer = recorded ?? this.#inGeneral(messages)
    if (answer.at(-6) === wire.ReadyForQuery) this.#status = String.fromCharCode(answer.at(-1)!) as 'I'
    this.#copying = answer.at(0) === wire.CopyInResponse
    if (answer.length > 0) this.#say(answer, 'answer')
  }

  /** As a server would that finds every statement without effect or fault, except those that say `canary` or `fail`. */
  #inGeneral(unit: readonly Uint8Array[]): Uint8Array {
    const said: Uint8Array[] = []
    for (const message of unit) {
      const text = Buffer.from(message.subarray(5)).toString('latin1')
      const canary = /^select 'canary (\d+)'/.exec(text)
      if (text.includes('fail')) {
        said.push(error('ERROR', '42601', 'syntax error'))
        break
      }
      switch (message[0]) {
        case wire.Query:
          if (text.startsWith('ROLLBACK')) this.#status = 'I'
          if (canary) said.push(wire.rowDescription([{ name: '?column?' }]), wire.dataRow([canary[1]!]))
          said.push(wire.commandComplete('SELECT 1'))
          break
        case wire.FunctionCall:
          said.push(error('ERROR', '42883', 'no such function'))
          break
        case wire.CopyDone:
          said.push(wire.commandComplete('COPY 0'))
          break
        case wire.CopyFail:
          said.push(error('ERROR', '57014', 'COPY from stdin failed'))
          break
        case wire.Parse:
          said.push(wire.parseComplete())
          break
        case wire.Bind:
          said.push(wire.bindComplete())
          break
        case wire.Close:
          said.push(wire.closeComplete())
          break
        case wire.Describe:
          said.push(wire.noData())
          break
        case wire.Execute:
          said.push(wire.commandComplete('SELECT 0'))
      }
    }
    const last = unit.at(-1)![0]
    if (last !== wire.Flush) said.push(wire.readyForQuery(this.#status))
    return Buffer.concat(said)
  }

  #say(answer: Uint8Array, of: 'login' | 'answer'): void {
    const { spoil } = this.#stage
    const chunks = spoil ? spoil(answer, of) : [answer]
    for (const chunk of chunks ?? []) this.socket.write(chunk)
  }
}

const error = (severity: string, code: string, message: string) =>
  wire.errorResponse({ severity, code, message })
