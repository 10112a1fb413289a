/**
 * Prepares on a server connection what a client's series uses and the connection lacks, by an exchange of the
 * gateway's own before the series.
 *
 * A statement must still mean what it meant when its client prepared it; else the client hears what it would hear from
 * a connection of its own: "cached plan must not change result type".
 */
import { close, describe, type ErrorFields, ParseComplete, parseErrorFields, sync } from '@sluice/wire'
import type { AnswerSink } from '../exchange/index.ts'
import { ask, nobody } from '../origin/own-query.ts'
import type { Refusal } from '../origin/refusal.ts'
import { explained, type ServerConnection } from '../origin/server-connection.ts'
import { Statement } from '../origin/statement.ts'
import { describedBy } from './description.ts'
import { planChanged } from './errors.ts'
import type { Unnamed } from './names.ts'

/** `inPlace`: the same Parse within the series fails alike. */
export type Prepared = { done: true } | { error: Refusal; inPlace: boolean } | { lost: Error }

export function prepare(
  server: ServerConnection,
  statements: readonly Statement[],
  unnamed: Unnamed | null,
  done: (outcome: Prepared) => void,
): void {
  let changed: Statement | Unnamed | null = null
  let error: ErrorFields | null = null
  const sink: AnswerSink = {
    ...nobody,
    onError(bytes, start, end) {
      error = parseErrorFields(bytes, start, end)
      return nothing
    },
    onLost: cause => done({ lost: explained(cause, error) }),
    onAnswered() {
      server.afterFeed(() => {
        if (error) done({ error, inPlace: true })
        else if (changed) undo(server, changed, done)
        else done({ done: true })
      })
    },
  }
  const exchange = server.pipeline.begin(sink)
  for (const statement of statements) {
    server.send(statement.parse)
    exchange.edit({
      ...{ at: exchange.asked++, does: 'swallow' },
      onDone: ([answer]) => {
        if (answer?.[0] === ParseComplete) server.statements.add(statement)
      },
    })
    const described = statement.described
    if (described === null) continue
    server.send(describe('S', statement.name))
    exchange.edit({
      ...{ at: exchange.asked++, does: 'swallow' },
      onDone(answer) {
        if (describedBy(answer) !== described) changed = statement
      },
    })
  }
  if (unnamed) {
    server.send(unnamed.parse)
    exchange.edit({
      ...{ at: exchange.asked++, does: 'swallow' },
      onDone: () => {
        server.unnamed = unnamed
      },
    })
    const { described } = unnamed
    if (described !== undefined) {
      server.send(describe('S', ''))
      exchange.edit({
        ...{ at: exchange.asked++, does: 'swallow' },
        onDone(answer) {
          if (describedBy(answer) !== described) changed = unnamed
        },
      })
    }
  }
  server.send(sync())
  exchange.open = false
  server.flush()
}

/**
 * Closes what is of no use, and the statements that were not used for longest, so that `keep` stay.
 *
 * @param done called when the connection has closed them; not if it is lost: its holder is told
 */
export function trim(server: ServerConnection, keep: number, done: () => void): void {
  const exchange = server.pipeline.begin({ ...nobody, onAnswered: () => server.afterFeed(done) })
  for (const statement of server.leftovers.splice(0)) server.send(close('S', statement.name))
  let over = server.statements.size - keep
  for (const statement of server.statements) {
    if (over-- <= 0) break
    server.statements.delete(statement)
    server.send(close('S', statement.name))
  }
  server.send(sync())
  exchange.open = false
  server.flush()
}

/** The connection forgets the statement, whose name still stands for what it meant; a transaction fails, as it would have. */
function undo(
  server: ServerConnection,
  statement: Statement | Unnamed,
  done: (outcome: Prepared) => void,
): void {
  const finish = () => done({ error: planChanged(), inPlace: false })
  const isNamed = statement instanceof Statement
  if (isNamed) server.statements.delete(statement)
  // A Query ends the unnamed one.
  ask(server, isNamed ? `DEALLOCATE ${statement.name}` : '', answer => {
    if ('lost' in answer) done({ lost: answer.lost })
    else if (answer.status === 'T')
      ask(server, failing, end => ('lost' in end ? done({ lost: end.lost }) : finish()))
    else finish()
  })
}

/** Any error fails a transaction; this one says in the server's log why. */
const failing = 'cached plan must not change result type'

const nothing = new Uint8Array(0)
