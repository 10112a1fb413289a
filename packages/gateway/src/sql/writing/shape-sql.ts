/**
 * A shape as SQL again: what is left of a text without its literals still says what it writes.
 *
 *     insert into t(a,b)values(0,')¹    ──▶    insert into t(a,b)values(0,'')        ¹ is the byte `repeated`
 *
 * An identifier in quotes may hold any byte. A set_config whose name the shape has kept becomes no SQL.
 */
import type { Shape } from '../shape.ts'

/** What stands for literals, by shape.ts and folded-output.ts: for repeated ones nothing. */
const literals: Readonly<Record<string, string>> = { '\x01': '', '\x02': "b''", '\x03': "n''", "'": "''" }

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are the shape's
const markers = /"(?:[^"]|"")*"|[\x01-\x03']/g

export const sqlOfShape = ({ bytes, length }: Pick<Shape, 'bytes' | 'length'>): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, length)
    .toString('utf8')
    .replace(markers, found => literals[found] ?? found)
