export * from './catalogue.ts'
export { readFingerprint } from './fingerprint.ts'
export type { Query } from './query.ts'
export { readCatalogue } from './read.ts'
