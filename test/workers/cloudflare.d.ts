/** What the tests' Workers take from the runtime. */
declare module 'cloudflare:workers' {
  // biome-ignore lint/suspicious/noExplicitAny: each Worker knows its bindings
  export const env: any
  // biome-ignore lint/suspicious/noExplicitAny: as above
  export class DurableObject<Env = any> {
    constructor(ctx: DurableObjectState, env: Env)
    readonly ctx: DurableObjectState
    readonly env: Env
  }
  export interface DurableObjectState {
    waitUntil(promise: Promise<unknown>): void
    readonly storage: { setAlarm(at: number): Promise<void> }
  }
}
