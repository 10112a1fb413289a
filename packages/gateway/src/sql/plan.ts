/**
 * What a statement can do to the session that runs it: all that the pooler has to know of its text.
 *
 * A plan errs on one side only: it may say that a statement touches what it leaves alone (the connection is then
 * asked, which costs a round trip), never the reverse.
 */

/** What may be changed on a server connection and outlive the transaction; bits. */
export const Touches = {
  /** SET, RESET, set_config, ALTER … SET in this session: any parameter, role and session authorization included. */
  settings: 1,
  /** pg_advisory_lock and its kin of the session level, unlocking included. Not the _xact_ ones. */
  advisoryLock: 2,
  /** CREATE TEMP …, SELECT INTO TEMP, anything in pg_temp; DROP TABLE and DISCARD, which may end one. */
  temporary: 4,
  /** DECLARE … WITH HOLD, and CLOSE. */
  holdCursor: 8,
  /** PREPARE of SQL. */
  sqlPrepare: 16,
  /** What nothing undoes: LOAD of a library, a replication origin, a temporary replication slot, dblink_connect, setseed. */
  lasting: 32,
  /** LISTEN. */
  listen: 64,
  /** UNLISTEN. */
  unlisten: 128,
  /** Values of parameters may go back to where the connection started: RESET, SET … TO DEFAULT, DISCARD ALL. */
  reset: 256,
  /** Prepared statements go: DISCARD ALL, DEALLOCATE. */
  deallocate: 512,
  /**
   * A sequence may have been advanced, of which lastval and currval tell: nextval, setval, any statement that writes and
   * so may have a trigger do it, DO, CALL, and any function that is listed in `functions`.
   */
  sequences: 1_024,
} as const

/** What a text needs before it can run on a connection that others use too; bits. */
export const Needs = {
  /** Calls currval or lastval: another client's sequence values must not be seen. */
  sequences: 1,
  /** Reads pg_prepared_statements (or pg_prepared_statement()). */
  statementNames: 2,
  /** Calls pg_cancel_backend or pg_terminate_backend. */
  backendSignal: 4,
  /** SHOW of what only the gateway knows: `shows` says what. */
  ownShow: 8,
} as const

export interface StatementPlan {
  /** Bits of {@link Touches}; 0: the connection is after it as it was before. */
  readonly touches: number
  /** Bits of {@link Needs}. */
  readonly needs: number
  /** Parameters with a dot in their names that it may set, in lower case: PostgreSQL lists no such values when asked. */
  readonly customSettings: readonly string[]
  /** It sets parameters whose names the text does not tell (set_config with a name that is computed or a parameter). */
  readonly unknownSettings: boolean
  /** One of its statements is COPY … FROM STDIN: what follows on the wire is data. */
  readonly copiesIn: boolean
  /** It may change what other statements mean: CREATE, ALTER, DROP and so on. */
  readonly changesSchema: boolean
  /**
   * It may make code that others run without saying so, as `mentions` tells: CREATE and ALTER of what is not temporary.
   * Perhaps: DO, CALL, and texts that can't be read, of which few do.
   */
  readonly makesCode: 'no' | 'perhaps' | 'yes'
  /** What it says of prepared statements by name, in its order. A name is a string of the bytes that the client wrote. */
  readonly named: readonly { readonly does: 'prepare' | 'execute' | 'deallocate'; readonly name: string }[]
  /** What of the gateway's own it SHOWs: `sluice.cache_status`, `sluice_version` and so on. */
  readonly shows: readonly string[]
  /** The channels that it LISTENs to or UNLISTENs (`*` for all), in their order. */
  readonly channels: readonly { readonly does: 'listen' | 'unlisten'; readonly channel: string }[]
  /**
   * Functions that it calls and the text can't judge: as written, lower case unless quoted, with the schema if there
   * is one. None of pg_catalog's that are known to be harmless: a name without a schema is taken for pg_catalog's if
   * PostgreSQL 18 has it there, although a function of the same name and other types may stand elsewhere on the path.
   */
  readonly functions: readonly string[]
  /**
   * Names of the relations, types and operators that it mentions, without their schemas, on which code may hang that no
   * text shows: triggers, views, checks. None that the text itself gives to pg_catalog. Null if they can't be told.
   */
  readonly mentions: readonly string[] | null
  /** How many statements it has; -1 if it could not be read (too long, or PostgreSQL's grammar refuses it). */
  readonly statements: number
}

/** The name of the statement that this deallocates, if it does nothing else. */
export function deallocatesOnly({ statements, named: [first] }: StatementPlan): string | null {
  return statements === 1 && first?.does === 'deallocate' ? first.name : null
}
