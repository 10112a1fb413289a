/** How the invalidation is: for the metrics, `sluice check`, and whoever decides what may be stored. */

/** Who holds up the beginning: it was open before, and what it has changed may not be told. */
export interface OldTransaction {
  /** Null for a prepared transaction: nobody's process any more. */
  readonly processId: number | null
  /** Of a prepared transaction: what COMMIT PREPARED and ROLLBACK PREPARED call it. */
  readonly gid: string | null
  /** Null if we may not know. */
  readonly ageMs: number | null
  readonly user: string | null
  readonly application: string | null
}

export type InvalidationPhase =
  /** No client: the origin may sleep. */
  | { readonly at: 'resting' }
  /** Between two attempts. `possible` is false if another attempt will not help, but the hint does. */
  | {
      readonly at: 'waiting'
      readonly cause: string
      readonly hint: string | null
      readonly possible: boolean
      readonly forMs: number
    }
  /** On its way; PostgreSQL makes no replication slot before the transactions that it found open have ended. */
  | {
      readonly at: 'opening'
      readonly step: 'connecting' | 'examining' | 'creating' | 'starting'
      readonly heldBy: OldTransaction | null
    }
  | Running

export interface Running {
  readonly at: 'running'
  readonly forMs: number
  /** From a commit to its being shown, as measured last, or for how long a measurement has been due. */
  readonly delayMs: number
  /** Others' writes that can be seen for longer than this were told: the measuring interval and the delay, or more. */
  readonly boundMs: number
  /** Transactions that were told once: new snapshots do not see them yet. */
  readonly unsettled: number
  readonly covered: number
  /** Tables that are not covered yet, and what keeps them waiting. */
  readonly quarantine: { readonly tables: number; readonly heldBy: OldTransaction | null } | null
  /** How DDL is noticed: by messages of the event trigger, or only by looking again and again. */
  readonly ddl: 'told' | 'polled'
}

export interface InvalidationStatus {
  readonly phase: InvalidationPhase
  /** It has run at least once. */
  readonly everRan: boolean
  readonly losses: number
  /** Time with clients and without a running stream, since the gateway's start. */
  readonly uncoveredMs: number
}
