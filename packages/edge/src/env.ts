/** What a Worker's `env` needs to hold; Cloudflare's own `Hyperdrive` type fits. */
export interface Env {
  DATABASE_URL: string
  HYPERDRIVE?: { connectionString: string }
  /** A second configuration of the same database, with its cache disabled: where `{ fresh: true }` goes. */
  HYPERDRIVE_FRESH?: { connectionString: string }
}

/** What the calls ask of `env`: any way may be missing, and a Worker's own generated `Env` fits, whatever it holds. */
export interface Ways {
  DATABASE_URL?: string | undefined
  HYPERDRIVE?: { readonly connectionString: string } | undefined
  HYPERDRIVE_FRESH?: { readonly connectionString: string } | undefined
}
