/**
 * A statement's bytes in, its plan out: for each Query and each Parse that a client sends.
 *
 *     bytes ──▶ shape ──known?──▶ plan                    the usual way: some hundred nanoseconds
 *                 │ no
 *                 ├─ a text of up to 16 kB ──PostgreSQL's parser──▶ judge.ts ──▶ kept under the shape
 *                 └─ longer, or refused ──▶ words.ts
 *
 * A text that the parser refuses, or that can't share a shape, is kept under itself. Never throws, whatever the bytes.
 */
import { isUtf8 } from 'node:buffer'
import { judge } from './judge.ts'
import { Parser } from './parser.ts'
import type { StatementPlan } from './plan.ts'
import { PlanCache } from './plan-cache.ts'
import { Shape } from './shape.ts'
import { judgeBlindly, judgeWords } from './words.ts'

/** The longest text that is parsed, and the longest shape that is kept: more would hold up all other clients. */
const parsedBytes = 16_384
/** The longest text that is read to its end; of a longer one as much as can be read in half a millisecond. */
const readBytes = 262_144
const beginningBytes = 65_536

const defaultCacheBytes = 8 * 1_048_576

export class Plans {
  /** One for all who judge texts: it holds up the others when it is made anew. */
  readonly parser: Parser
  readonly #cache: PlanCache
  readonly #shape = new Shape(parsedBytes)
  /** Texts that stand for themselves. */
  readonly #text = new Shape(1 + parsedBytes)
  readonly #longShape = new Shape(readBytes)

  private constructor(parser: Parser, cacheBytes: number) {
    this.parser = parser
    this.#cache = new PlanCache(cacheBytes)
  }

  /** @param options.cacheBytes of memory for plans that are known, 8 MB: some ten thousand */
  static async load(options: { cacheBytes?: number } = {}): Promise<Plans> {
    return new Plans(await Parser.load(), options.cacheBytes ?? defaultCacheBytes)
  }

  /**
   * The plan of the text from `start` to `end`.
   *
   * @param asciiSafe false: in the client's encoding a byte that looks like ASCII may be the second of a character
   *   (SJIS, BIG5, GBK, UHC, GB18030, JOHAB), so that a quote need not be one
   */
  planOf(bytes: Uint8Array, start: number, end: number, asciiSafe: boolean = true): StatementPlan {
    if (!asciiSafe) return blindly(bytes, start, end)
    if (end - start > readBytes) return this.#judgeLong(bytes, start, start + beginningBytes, false)
    const shape = this.#shape
    shape.read(bytes, start, end)
    if (shape.tooLong) return this.#judgeLong(bytes, start, end, true)
    if (shape.ambiguous && !refusedWithEscapes(shape, bytes, start, end)) return blindly(bytes, start, end)
    return (shape.shareable ? this.#cache.get(shape) : undefined) ?? this.#judge(bytes, start, end)
  }

  /** What `#shape` is the shape of. */
  #judge(bytes: Uint8Array, start: number, end: number): StatementPlan {
    const shape = this.#shape
    if (end - start > parsedBytes) return judgeWords(asText(shape.bytes, 0, shape.length), true)
    const text = this.#text
    text.readWhole(bytes, start, end)
    const known = this.#cache.get(text)
    if (known) return known
    const { busy } = this.parser
    const plan = this.#parse(bytes, start, end)
    if (plan) {
      this.#cache.set(shape.shareable ? shape : text, plan)
      return plan
    }
    const guess = judgeWords(asText(shape.bytes, 0, shape.length), true)
    // Also that of a text that was the parser's end: it is not tried again.
    if (!busy) this.#cache.set(text, guess)
    return guess
  }

  #parse(bytes: Uint8Array, start: number, end: number): StatementPlan | null {
    const statements = this.parser.parse(asText(bytes, start, end))
    try {
      const plan = statements && judge(statements)
      return plan && inBytes(plan, isUtf8(view(bytes, start, end)))
    } catch {
      // Too deep for the walk.
      return null
    }
  }

  /** @param whole false: the text goes on behind `end` */
  #judgeLong(bytes: Uint8Array, start: number, end: number, whole: boolean): StatementPlan {
    const shape = this.#longShape
    shape.read(bytes, start, end)
    if (shape.ambiguous && (!whole || !refusedWithEscapes(shape, bytes, start, end)))
      return blindly(bytes, start, end)
    return judgeWords(asText(shape.bytes, 0, shape.length), whole)
  }
}

/**
 * With standard_conforming_strings off, a quote of the text would have no end: PostgreSQL would refuse it. So if it does
 * not, the text is what it seems to be: `LIKE 'x' ESCAPE '\\'`.
 */
function refusedWithEscapes(shape: Shape, bytes: Uint8Array, start: number, end: number): boolean {
  shape.read(bytes, start, end, true)
  const refused = shape.unterminated
  shape.read(bytes, start, end)
  return refused
}

const blindly = (bytes: Uint8Array, start: number, end: number): StatementPlan =>
  judgeBlindly(latin1(bytes, start, Math.min(end, start + readBytes)))

/** As UTF-8 if it is, so that names are right. If it is not, byte by byte: its structure is all in its ASCII. */
function asText(bytes: Uint8Array, start: number, end: number): string {
  const text = view(bytes, start, end)
  return isUtf8(text) ? text.toString('utf8') : text.toString('latin1')
}

/** With the names of prepared statements as sessions know them: byte by byte, as the client wrote them in its encoding. */
function inBytes(plan: StatementPlan, wasUtf8: boolean): StatementPlan {
  if (!wasUtf8 || plan.named.length === 0) return plan
  const named = plan.named.map(({ does, name }) => ({ does, name: Buffer.from(name).toString('latin1') }))
  return { ...plan, named }
}

const latin1 = (bytes: Uint8Array, start: number, end: number) => view(bytes, start, end).toString('latin1')

const view = (bytes: Uint8Array, start: number, end: number) =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
