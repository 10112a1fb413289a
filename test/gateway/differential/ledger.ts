/**
 * What PostgreSQL still owes to a client, told by what the client said and what it heard: where to wait for an answer,
 * and whether the client needs its server connection on.
 *
 *     said     Parse  Bind  Execute  Sync  Query          heard takes off the first of them
 *     heard      1     2     D D C     Z    T D C Z        an error takes off all up to the Sync
 *
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Message Flow".
 */
import type { Said } from './program.ts'

type Mode =
  | 'normal'
  /** After an error in a series: all is discarded up to a Sync. */
  | 'skipping'
  /** The server takes COPY data for what is first in the queue. */
  | 'copying'
  /** The data has ended. */
  | 'copied'

const steps: readonly Said['say'][] = ['Parse', 'Bind', 'Describe', 'Execute', 'Close']
const ends: Partial<Record<Said['say'], readonly string[]>> = {
  Parse: ['1'],
  Bind: ['2'],
  Close: ['3'],
  Describe: ['T', 'n'],
  Execute: ['C', 'I', 's'],
}

export class Ledger {
  mode: Mode = 'normal'
  /** A series has begun whose Sync was not sent. */
  open = false
  status = 'I'
  /** PostgreSQL said ready to a lone Sync and left the transaction of a series with a Query in it open: XX000 comes next. */
  lingers = false
  /** Something was heard since the last ReadyForQuery. */
  #answered = false
  readonly owed: Said['say'][] = []

  /** The server waits for the client. */
  get settled(): boolean {
    return this.owed.length === (this.mode === 'copying' ? 1 : 0)
  }

  /** The client's next message must go to the same session of PostgreSQL. */
  get holds(): boolean {
    return this.open || this.lingers || this.status !== 'I' || this.mode !== 'normal'
  }

  said(say: Said['say']): void {
    if (steps.includes(say)) this.open = true
    if (say === 'Sync' && this.mode !== 'copying') this.open = false
    this.owed.push(say)
    this.#pass()
  }

  /** @param word as heard.ts writes it */
  heard(word: string): void {
    const [type, owed] = [word[0]!, this.owed[0]]
    if (type !== 'Z') this.#answered = true
    if (type === 'G') this.mode = 'copying'
    else if (type === 'Z') {
      const lone = this.owed.shift() === 'Sync' && !this.#answered
      this.lingers = lone && word[2] === 'I' && this.status === 'T'
      this.#answered = false
      this.status = word[2]!
      this.mode = 'normal'
    } else if (type === 'E') {
      this.mode = 'normal'
      if (owed !== undefined && steps.includes(owed)) {
        this.owed.shift()
        this.mode = 'skipping'
      }
    } else {
      if (type === 'C' && this.mode === 'copied') this.mode = 'normal'
      if (owed !== undefined && ends[owed]?.includes(type)) this.owed.shift()
    }
    this.#pass()
  }

  /** Takes off what is owed no answer. */
  #pass(): void {
    const owed = this.owed
    for (;;) {
      const next = owed[this.mode === 'copying' ? 1 : 0]
      if (next === undefined) return
      const ofCopy = next === 'CopyData' || next === 'CopyDone' || next === 'CopyFail'
      if (this.mode === 'copying') {
        // Sync and Flush are ignored here; anything else breaks the COPY, as an error says.
        if (!ofCopy && next !== 'Sync' && next !== 'Flush') this.mode = 'copied'
        else {
          // The series goes on: another Sync has to come.
          if (next === 'Sync' && owed[0] === 'Execute') this.open = true
          owed.splice(1, 1)
          if (ofCopy && next !== 'CopyData') this.mode = 'copied'
        }
      } else if (this.mode === 'skipping') {
        if (next === 'Sync') return
        owed.shift()
      } else if (this.mode === 'normal' && (ofCopy || next === 'Flush')) owed.shift()
      else return
    }
  }
}
