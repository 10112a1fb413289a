export { tlsServerEndPoint } from './end-point.ts'
export { isMd5Stored, md5Answer, md5Matches, md5Stored } from './md5.ts'
export { saslprep } from './saslprep.ts'
export {
  type Derivation,
  type DeriveKey,
  defaultIterations,
  defaultSaltBytes,
  formatVerifier,
  makeVerifier,
  mockVerifier,
  nonceBytes,
  parseVerifier,
  ScramError,
  type ScramKeys,
  type ScramVerifier,
} from './scram.ts'
export { mostIterations, ScramClient, type ScramSecret } from './scram-client.ts'
export { mechanismsFor, ScramServer } from './scram-server.ts'
