import type { ErrorFields } from '@sluice/wire'
import type { Match } from './statement-log.ts'

/** What a FaultProxy does to a connection. Refusing connections is no fault of one: `proxy.refuse()`. */
export type Fault = (
  | /** Accepts and never says a word. */ { is: 'hang' }
  | /** Closes as soon as it has accepted. */ { is: 'close'; by?: Ending }
  | {
      /** Closes cleanly while the session begins: a gateway that drains, an origin that is gone. */
      is: 'closeAtStartUp'
      /** What has happened before: the client sent its StartupMessage, or it was given the server's first Authentication*. */
      after: 'StartupMessage' | 'Authentication'
    }
  | /** Answers the StartupMessage with an error, then closes. */ { is: 'refuseAtStartUp'; error: Refusal }
  | {
      /** Answers the first statement of a session with an error, without letting it reach the server. */
      is: 'refuseFirstStatement'
      error: Refusal
      /** After 'ReadyForQuery' the session goes on as if nothing were. */
      then: 'ReadyForQuery' | 'close'
    }
  | /** Ends the connection at a certain statement. */ { is: 'cut'; at: Trigger; moment: Moment; by?: Ending }
  | {
      /**
       * From a certain statement on every byte is dropped, both ways, and the sockets stay open. Only when the client
       * closes its own is the server's closed too.
       */
      is: 'dark'
      at: Trigger
      moment: Moment
    }
) & {
  /** How often it may happen; after that connections pass. Default: always. */
  times?: number
}

export type Refusal = Omit<ErrorFields, 'severity'> & { severity?: string }

/** A statement that is to run (a Query, or the Execute of a prepared one), or the n-th message after start-up, from 1. */
export type Trigger = Match | { message: number }

/**
 * - `before`: the message that runs it is not forwarded; it can't have run.
 * - `forwarded`: all of its exchange (up to its Sync) has gone to the server; whether it has run isn't known.
 * - `answered`: the server has answered the exchange in full, so it has run; no byte of the answer goes on.
 */
export type Moment = 'before' | 'forwarded' | 'answered'

/** `reset`: as a crash (RST, the default); `close`: as a polite end (FIN). */
export type Ending = 'reset' | 'close'
