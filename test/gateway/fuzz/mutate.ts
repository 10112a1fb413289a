/** Changes to a session's messages, as a hostile peer or a broken network makes them; the same for the same seed. */

/** Mulberry32: numbers from 0 to 1. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296
  }
}

export const below = (random: () => number, limit: number): number => Math.floor(random() * limit)

export const oneOf = <T>(random: () => number, from: readonly T[]): T => from[below(random, from.length)]!

/** Lengths that a careless reader trips over. */
const lengths = [
  0, 1, 3, 4, 5, 8, 255, 10_001, 65_535, 1_048_577, 0x3fff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
]

type Mutation = (
  messages: Uint8Array[],
  at: number,
  random: () => number,
  others: readonly Uint8Array[],
) => void

const mutations: readonly Mutation[] = [
  function flipBit(messages, at, random) {
    const bytes = Uint8Array.from(messages[at]!)
    const place = below(random, bytes.length)
    bytes[place]! ^= 1 << below(random, 8)
    messages[at] = bytes
  },
  function setByte(messages, at, random) {
    const bytes = Uint8Array.from(messages[at]!)
    bytes[below(random, bytes.length)] = oneOf(random, [0, 0xff, 0x7f, 0x80, below(random, 256)])
    messages[at] = bytes
  },
  function setLength(messages, at, random) {
    const bytes = Uint8Array.from(messages[at]!)
    if (bytes.length < 5) return
    const view = new DataView(bytes.buffer)
    const was = view.getUint32(1)
    view.setUint32(1, random() < 0.4 ? was + oneOf(random, [-2, -1, 1, 2]) : oneOf(random, lengths))
    messages[at] = bytes
  },
  function setCount(messages, at, random) {
    const bytes = Uint8Array.from(messages[at]!)
    if (bytes.length < 8) return
    const view = new DataView(bytes.buffer)
    view.setUint16(below(random, bytes.length - 1), oneOf(random, [0, 1, 0x7fff, 0x8000, 0xffff]))
    messages[at] = bytes
  },
  function cut(messages, at, random) {
    messages[at] = messages[at]!.subarray(0, below(random, messages[at]!.length))
  },
  function grow(messages, at, random) {
    const more = new Uint8Array(oneOf(random, [1, 5, 300, 70_000])).fill(below(random, 256))
    messages[at] = Buffer.concat([messages[at]!, more])
  },
  function drop(messages, at) {
    messages.splice(at, 1)
  },
  function repeat(messages, at, random) {
    messages.splice(at, 0, ...Array<Uint8Array>(1 + below(random, 3)).fill(messages[at]!))
  },
  function move(messages, at, random) {
    const [message] = messages.splice(at, 1)
    messages.splice(below(random, messages.length + 1), 0, message!)
  },
  function insertOther(messages, at, random, others) {
    messages.splice(at, 0, oneOf(random, others))
  },
  function insertNoise(messages, at, random) {
    const size = below(random, 40)
    const bytes = Uint8Array.from({ length: 5 + size }, () => below(random, 256))
    if (random() < 0.8) new DataView(bytes.buffer).setUint32(1, 4 + size)
    messages.splice(at, 0, bytes)
  },
]

/**
 * @param others messages of other sessions, to be put in
 * @returns the messages, one to four of them changed
 */
export function mutate(
  messages: readonly Uint8Array[],
  random: () => number,
  others: readonly Uint8Array[],
): Uint8Array[] {
  const mutated = [...messages]
  for (let left = 1 + below(random, 4); left > 0 && mutated.length > 0; left--)
    oneOf(random, mutations)(mutated, below(random, mutated.length), random, others)
  return mutated
}

/** The same bytes in other chunks. */
export function chunked(messages: readonly Uint8Array[], random: () => number): Uint8Array[] {
  const bytes = Buffer.concat(messages)
  const cuts = Array.from({ length: below(random, 4) }, () => below(random, bytes.length + 1)).sort(
    (a, b) => a - b,
  )
  return [0, ...cuts]
    .map((from, at) => bytes.subarray(from, cuts[at] ?? bytes.length))
    .filter(({ length }) => length > 0)
}
