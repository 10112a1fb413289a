export type { Setting } from './settings.ts'
export { definitionsChanged, WriteSet } from './write-set.ts'
export { type WriteAs, Writings } from './writings.ts'
export type { WrittenValues } from './written.ts'
