import { copyData } from '../frontend-messages.ts'

const type = 0x72 // r
const length = 1 + 4 * 8 + 1

/**
 * Tells the server that all of its WAL up to `lsn` is done with, so that it need not keep it.
 *
 * The sender's clock is left at zero: the server only shows it, as reply_time in pg_stat_replication.
 * Source: PostgreSQL documentation, Streaming Replication Protocol, "Standby status update".
 */
export function standbyStatusUpdate(lsn: bigint): Uint8Array {
  const body = new Uint8Array(length)
  const view = new DataView(body.buffer)
  body[0] = type
  for (const at of [1, 9, 17]) view.setBigUint64(at, lsn) // written, flushed, applied
  return copyData(body)
}
