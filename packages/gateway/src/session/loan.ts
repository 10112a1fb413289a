/**
 * A Query that speaks by name of statements which its client made by Parse. The server knows these by the gateway's
 * names, so they are lent to it under the client's for as long as the Query runs.
 *
 *     the client says                       DEALLOCATE s1; EXECUTE s2
 *     the server gets   Close s1, Parse s1  DEALLOCATE s1; EXECUTE s2   Close s2, Sync
 *                       Close s2, Parse s2, Sync
 *
 * What stands before and behind the Query are exchanges of the gateway's own, whose answers nobody waits for. What was
 * deallocated is told by the tags of the Query's answer.
 *
 * Not here: a single DEALLOCATE, which the session answers itself, and a Query within a series (series.ts).
 */
import { sync } from '@sluice/wire'
import { nobody } from '../origin/own-query.ts'
import type { ServerConnection } from '../origin/server-connection.ts'
import type { StatementPlan } from '../sql/plan.ts'
import type { Names } from './names.ts'
import { sendClose, sendCopy, sendEmpty } from './series.ts'

type Named = StatementPlan['named']

export class Loan {
  readonly #named: Named
  readonly #lent = new Set<string>()

  /** Lends what the client has of these, before the Query is sent. */
  constructor(server: ServerConnection, names: Names, named: Named) {
    this.#named = named
    send(server, () => {
      for (const { name } of named) {
        const statement = names.get(name)
        if (!statement || this.#lent.has(name)) continue
        this.#lent.add(name)
        // What an error may have left there.
        sendClose(server, name)
        // An empty one will do to be deallocated, or to be in the way.
        const executed = named.some(each => each.does === 'execute' && each.name === name)
        if (executed) sendCopy(server, name, statement)
        else sendEmpty(server, name)
      }
    })
  }

  /** The Query has answered, so far as these tags tell: `names` loses what was deallocated. */
  settle(names: Names, tags: readonly string[]): void {
    const deallocated = this.#named.filter(({ does }) => does === 'deallocate').values()
    for (const tag of tags) {
      if (tag === 'DEALLOCATE ALL' || tag === 'DISCARD ALL') this.#lent.clear()
      if (tag !== 'DEALLOCATE') continue
      const { value } = deallocated.next()
      if (value && this.#lent.delete(value.name)) names.delete(value.name)
    }
  }

  /** The server loses what is left. */
  takeBack(server: ServerConnection): void {
    if (this.#lent.size > 0)
      send(server, () => {
        for (const name of this.#lent) sendClose(server, name)
      })
  }
}

function send(server: ServerConnection, messages: () => void): void {
  const exchange = server.pipeline.begin(nobody)
  messages()
  server.send(sync())
  exchange.open = false
  server.flush()
}
