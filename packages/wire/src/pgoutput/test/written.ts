/** What a walsender says, written. */
import { copyData } from '../../frontend-messages.ts'

/** What is on the wire, as a value; a row is its columns. */
export type Told =
  | { is: 'begin'; xid: number }
  | { is: 'commit'; lsn: bigint }
  | { is: 'relation'; oid: number; schema: string; name: string; identity: string; columns: Column[] }
  | { is: 'row'; does: 'I' | 'U' | 'D'; oid: number; before: Row | null; now: Row | null }
  | { is: 'truncate'; oids: number[] }
  | { is: 'message'; prefix: string; content: number[]; transactional: boolean }
  | { is: 'keepalive'; lsn: bigint }
  | { is: 'origin'; name: string }
  | { is: 'type'; oid: number; name: string }

export interface Column {
  name: string
  key: boolean
  type: number
}
export type Row = (string | null | undefined)[]

const text = (value: string) => [...new TextEncoder().encode(value), 0]
const int = (bytes: number) => (value: number | bigint) =>
  Array.from({ length: bytes }, (_, at) => Number((BigInt(value) >> BigInt(8 * (bytes - 1 - at))) & 255n))
const int16 = int(2)
export const int32 = int(4)
export const int64 = int(8)
export const char = (value: string) => value.charCodeAt(0)

const tuple = (row: Row) => [
  ...int16(row.length),
  ...row.flatMap(value => {
    if (value === null) return [char('n')]
    if (value === undefined) return [char('u')]
    const bytes = [...new TextEncoder().encode(value)]
    return [char('t'), ...int32(bytes.length), ...bytes]
  }),
]

function logical(told: Told): number[] {
  switch (told.is) {
    case 'begin':
      return [char('B'), ...int64(7), ...int64(8), ...int32(told.xid)]
    case 'commit':
      return [char('C'), 0, ...int64(6), ...int64(told.lsn), ...int64(9)]
    case 'origin':
      return [char('O'), ...int64(5), ...text(told.name)]
    case 'type':
      return [char('Y'), ...int32(told.oid), ...text('public'), ...text(told.name)]
    case 'relation':
      return [
        ...[char('R'), ...int32(told.oid), ...text(told.schema), ...text(told.name), char(told.identity)],
        ...int16(told.columns.length),
        ...told.columns.flatMap(({ name, key, type }) => [
          ...[key ? 1 : 0, ...text(name), ...int32(type), ...int32(-1)],
        ]),
      ]
    case 'row':
      return [
        ...[char(told.does), ...int32(told.oid)],
        ...(told.before ? [char('K'), ...tuple(told.before)] : []),
        ...(told.now ? [char('N'), ...tuple(told.now)] : []),
      ]
    case 'truncate':
      return [char('T'), ...int32(told.oids.length), 0, ...told.oids.flatMap(int32)]
    case 'message':
      return [
        ...[char('M'), told.transactional ? 1 : 0, ...int64(4), ...text(told.prefix)],
        ...[...int32(told.content.length), ...told.content],
      ]
    case 'keepalive':
      throw new Error('it is no logical message')
  }
}

/** The body of a CopyData. */
export const xlog = (told: Told): Uint8Array =>
  Uint8Array.from(
    told.is === 'keepalive'
      ? [char('k'), ...int64(told.lsn), ...int64(1), 1]
      : [char('w'), ...int64(1), ...int64(2), ...int64(3), ...logical(told)],
  )

/** The whole CopyData. */
export const copied = (told: Told): Uint8Array => copyData(xlog(told))
