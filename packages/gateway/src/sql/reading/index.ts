export { canonicalBinary, canonicalText } from './canonical.ts'
export { type ReadAs, Readings, readAs } from './readings.ts'
export { hasRowSlots } from './rows.ts'
