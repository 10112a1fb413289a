/** What a verdict on writes comes to for the values of one statement. */
import type { Oid } from '../../catalogue/index.ts'
import { canonicalBinary, canonicalText } from '../reading/canonical.ts'
import * as is from '../reading/oids.ts'
import { byKeys, isComparable } from '../reading/rows.ts'
import type { KeyColumn } from '../reading.ts'
import type { Writes, Written } from '../writing.ts'

/** The values of one statement. */
export interface WrittenValues {
  /** What a literal says; null if it can't be told. */
  literal(place: number): string | null
  /** From 1: a text, the bytes of one that is sent binary, or NULL. */
  parameter(number: number): string | Uint8Array | null
  /** As in Parse; 0 for one that PostgreSQL is to find. */
  parameterType(number: number): Oid
}

/** A row whose key can't be told counts as its whole table. */
export function writtenBy(writes: Writes, values: WrittenValues): Written {
  const { tables, rows } = byKeys(writes.tables, writes.rows, column => textOf(column, values))
  return { tables, rows, inserts: writes.inserts }
}

function textOf({ type, value, valueType }: KeyColumn, values: WrittenValues): string | null {
  if ('literal' in value) {
    const literal = values.literal(value.literal)
    return literal === null || !isComparable(type, valueType) ? null : canonicalText(literal, type, valueType)
  }
  const given = values.parameter(value.parameter)
  const declared = values.parameterType(value.parameter)
  const isDeclared = declared !== 0 && declared !== is.unknown
  const readAs = isDeclared ? declared : valueType || type
  // A cast of one type to another may change what it says.
  if (given === null || !isComparable(type, readAs) || (valueType !== 0 && readAs !== valueType)) return null
  return typeof given === 'string' ? canonicalText(given, type, readAs) : canonicalBinary(given, readAs)
}
