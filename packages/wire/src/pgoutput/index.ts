export { PgoutputDecoder, type PgoutputRelation, type PgoutputRow, type PgoutputSink } from './decoder.ts'
export { standbyStatusUpdate } from './standby-status-update.ts'
