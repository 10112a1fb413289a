export { ConfigError } from './config-error.ts'
export type { OriginConfig } from './origin-config.ts'
export { type Flags, type GatewayConfig, readConfig } from './read-config.ts'
