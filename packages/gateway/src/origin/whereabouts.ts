/**
 * Where the names of an origin's hosts lead to by now.
 *
 * Each new connection looks its name up, so it goes where the name leads; this is for those that were opened before. The
 * names are looked up from time to time, and a connection to an address that no answer has told for a while leads to
 * what is the origin no more. One answer is not enough: records of several addresses tell a part of them each time. A
 * look-up that fails tells nothing, and what was known holds.
 */
import { isIP } from 'node:net'
import type { Lookup } from '../transport/lookup.ts'
import type { Address } from './dial.ts'

const lookEveryMs = 5_000
/** An address is one no more when no answer within this time has told it: a dozen of them. */
const vanishedAfterMs = 60_000

/** A connection, as far as it matters here. */
export interface Placed {
  readonly address: Address
  readonly remoteAddress: string
  /** When it was opened. */
  readonly openedAt: number
}

export class Whereabouts {
  readonly #lookup: Lookup
  /** Of each name: when it was told last, and when each of its addresses was. */
  readonly #answers = new Map<string, { at: number; told: Map<string, number> }>()
  #lookedAt = -Infinity
  #looking = false

  constructor(lookup: Lookup) {
    this.#lookup = lookup
  }

  /** Looks the names up, if it is time to; `done` is called if an answer has come. Once more is harmless. */
  look(addresses: readonly Address[], now: number, done: () => void): void {
    if (this.#looking || now - this.#lookedAt < lookEveryMs) return
    this.#lookedAt = now
    const names = new Set(addresses.flatMap(at => ('host' in at && isIP(at.host) === 0 ? [at.host] : [])))
    if (names.size === 0) return
    this.#looking = true
    const answers = [...names].map(name =>
      this.#lookup(name).then(
        told => this.#answered(name, told, now),
        () => {},
      ),
    )
    void Promise.all(answers).then(() => {
      this.#looking = false
      done()
    })
  }

  /** It leads to where its name does not lead any more. */
  vanished({ address, remoteAddress, openedAt }: Placed): boolean {
    const answer = 'host' in address ? this.#answers.get(address.host) : undefined
    if (!answer) return false
    const told = answer.told.get(plain(remoteAddress)) ?? openedAt
    return answer.at - Math.max(told, openedAt) >= vanishedAfterMs
  }

  #answered(name: string, addresses: readonly string[], now: number): void {
    if (addresses.length === 0) return
    const answer = this.#answers.get(name) ?? { at: now, told: new Map<string, number>() }
    this.#answers.set(name, answer)
    answer.at = now
    for (const address of addresses) answer.told.set(plain(address), now)
    for (const [address, at] of answer.told) if (now - at > vanishedAfterMs) answer.told.delete(address)
  }
}

/** IPv4 as IPv6 sockets show it. */
const plain = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, '')
