/**
 * The replication connection, from the login on.
 *
 *     idle ─create─▶ creating ─▶ created ─start─▶ starting ─▶ streaming
 *                       │ waits for transactions that are open                every refusal or end: over
 *
 * The replication slot is temporary: it ends with the connection, and nothing is left at the origin. Of what was sent
 * the server is told at each keepalive that it is done with: nothing is ever asked for again.
 *
 * `two_phase` is not asked for: a prepared transaction comes as any other at its COMMIT PREPARED, under the number that
 * snapshots know it by; and decoding at PREPARE can come to stand against the locks that it holds.
 * Source: PostgreSQL documentation, "Streaming Replication Protocol" and "Logical Streaming Replication Parameters".
 */
import {
  CopyBothResponse,
  CopyData,
  CopyDone,
  type ErrorFields,
  ErrorResponse,
  MessageScanner,
  parseErrorFields,
  query,
  ReadyForQuery,
  watch,
} from '@sluice/wire'
import { PgoutputDecoder } from '@sluice/wire/pgoutput'
import { quoteIdentifier } from '../sql/quote.ts'
import type { KnownTables } from './sink.ts'
import { TransactionReader, type TransactionSink } from './transaction.ts'

export interface StreamOptions {
  readonly slot: string
  readonly publication: string
  readonly known: KnownTables
  readonly sink: TransactionSink
}

export type StreamEvent =
  | { readonly is: 'created' }
  | { readonly is: 'streaming' }
  | { readonly is: 'refused'; readonly error: ErrorFields }
  | { readonly is: 'ended' }

type Phase = 'idle' | 'creating' | 'created' | 'starting' | 'streaming' | 'over'

const watched = watch({ whole: [CopyBothResponse, CopyData, CopyDone, ErrorResponse, ReadyForQuery] })
/** A row may have a gigabyte; its key stands in the first of it, or the row is not told by its key. */
const longestHeld = 1_048_576

export class Stream {
  readonly #options: StreamOptions
  readonly #scanner = new MessageScanner(watched, longestHeld)
  readonly #decoder: PgoutputDecoder
  #phase: Phase = 'idle'
  #events: StreamEvent[] = []

  constructor(options: StreamOptions) {
    this.#options = options
    this.#decoder = new PgoutputDecoder(new TransactionReader(options.known, options.sink))
  }

  create(): Uint8Array {
    this.#phase = 'creating'
    const slot = quoteIdentifier(this.#options.slot)
    return query(`CREATE_REPLICATION_SLOT ${slot} TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT`)
  }

  start(): Uint8Array {
    this.#phase = 'starting'
    const { slot, publication } = this.#options
    // The names are a list of identifiers within a literal, which knows no escapes here.
    const names = `'${quoteIdentifier(publication).replaceAll("'", "''")}'`
    return query(
      `START_REPLICATION SLOT ${quoteIdentifier(slot)} LOGICAL 0/0 (proto_version '1', publication_names ${names}, messages 'true')`,
    )
  }

  /**
   * Takes what the server sent; what it says of changes goes to the sink.
   *
   * @throws ProtocolError
   */
  feed(chunk: Uint8Array): readonly StreamEvent[] {
    this.#events = []
    this.#scanner.feed(chunk, (type, bytes, start, end) => {
      if (this.#phase !== 'over') this.#take(type, bytes, start, end)
    })
    return this.#events
  }

  #take(type: number, bytes: Uint8Array, start: number, end: number): void {
    switch (type) {
      case CopyData:
        this.#decoder.copyData(bytes, start, end, end - start === longestHeld)
        break
      case CopyBothResponse:
        this.#phase = 'streaming'
        this.#events.push({ is: 'streaming' })
        break
      case ReadyForQuery:
        if (this.#phase !== 'creating') break
        this.#phase = 'created'
        this.#events.push({ is: 'created' })
        break
      case ErrorResponse:
        this.#phase = 'over'
        this.#events.push({ is: 'refused', error: parseErrorFields(bytes, start, end) })
        break
      case CopyDone:
        this.#phase = 'over'
        this.#events.push({ is: 'ended' })
        break
    }
  }
}
