/**
 * A series of the extended protocol on its way to a server connection: the client's names become the gateway's.
 *
 *     the client says            the server gets                     the client hears
 *     Parse s1 'select …'        Parse sluice_9, Describe sluice_9   ParseComplete. If sluice_7 means the same, s1 is sluice_7
 *     Parse s1 '…', s1 is taken  Parse sluice_7, which it has        42P05, with the client's name
 *     Bind, Describe s1          the same of sluice_7                what the server says
 *     Bind, Describe, unknown    the same, untouched                 26000
 *     Close s1                   nothing                             CloseComplete, said by the gateway
 *     Bind of DEALLOCATE s1      Parse s1 '', and the same          what the server says
 *     anything of portals        untouched
 *
 * Errors are left to the server, so that they come in their place, with their side effects and their words.
 * What a connection lacks is prepared before the series (`survey`), by an exchange of the gateway's own: the answer
 * tells whether the statement still means what the client was told.
 */
import {
  Bind,
  Close,
  close,
  closeComplete,
  Describe,
  describe as describes,
  message,
  Parse,
  parse,
  Query,
} from '@sluice/wire'
import type { Exchange } from '../exchange/index.ts'
import type { ServerConnection } from '../origin/server-connection.ts'
import { makeStatement, type Statement, type Statements } from '../origin/statement.ts'
import type { Values } from '../origin/values.ts'
import { deallocatesOnly, Needs, type StatementPlan } from '../sql/plan.ts'
import { BoundValues } from './bound-values.ts'
import { lengthAt } from './client.ts'
import { describedBy } from './description.ts'
import { nameAt } from './name-at.ts'
import type { Names, Unnamed } from './names.ts'
import { asSelect, type Own } from './shown.ts'
import { type OnSignal, sendSignals, signalSafe } from './signals.ts'
import { withOwnNames } from './statement-names.ts'

const statementByte = 0x53 // S

export interface Context {
  readonly server: ServerConnection
  readonly exchange: Exchange
  readonly names: Names
  readonly statements: Statements
  readonly own: Own
  /** What the client's settings are; null where they can't be told, within a unit that changes them. */
  readonly settings: Values | null
  /** The client may have statements by PREPARE, under names of its own. */
  readonly preparedBySql: boolean
  /** This message is one of ours already. */
  readonly rewritten?: boolean
  planOf(bytes: Uint8Array, start: number, end: number): StatementPlan
  /** What the series may do: called for each statement that it prepares or binds. */
  onPlan(plan: StatementPlan): void
  onSignal: OnSignal
  /** A Describe of a statement is being sent: who wants the answer takes it. */
  describing(statement: Statement | Unnamed): ((answer: readonly Uint8Array[]) => void) | null
  /**
   * A statement is about to be run, by the Bind at `at`, with the values that are there from `start` to `end`; null: what
   * a PREPARE made.
   */
  onBound(
    statement: Statement | Unnamed | null,
    bytes: Uint8Array,
    at: number,
    start: number,
    end: number,
  ): void
  /** What a PREPARE made may be closed. */
  onSqlClosed(): void
  /** It may set a parameter whose name is among the bytes of this message. */
  onUnnamedSetting(message: Uint8Array): void
}

/**
 * Sends one message of a series.
 *
 * @param at of the message in `bytes`, and `end` behind what is there of it: all, except that a large Bind may lack
 *   its end as long as its names are there
 * @param length of the whole message
 */
export function passMessage(
  context: Context,
  bytes: Uint8Array,
  at: number,
  end: number,
  length: number = end - at,
): void {
  switch (bytes[at]) {
    case Parse:
      passParse(context, bytes, at, end)
      return
    case Bind:
      passBind(context, bytes, at, end, length)
      return
    case Describe:
      if (bytes[at + 5] === statementByte) passDescribe(context, bytes, at, end)
      else context.server.send(bytes, at, end)
      break
    case Close:
      if (bytes[at + 5] === statementByte) {
        passClose(context, bytes, at, end)
        return
      }
      context.server.send(bytes, at, end)
      break
    default:
      context.exchange.executes = true
      context.server.send(bytes, at, end)
  }
  context.exchange.asked++
}

function passParse(context: Context, bytes: Uint8Array, at: number, end: number): void {
  const { server, exchange, names } = context
  const nameEnd = nulAfter(bytes, at + 5, end)
  const textEnd = nulAfter(bytes, nameEnd + 1, end)
  const plan = context.planOf(bytes, nameEnd + 1, textEnd)
  if ((plan.needs & rewrittenNeeds) !== 0 && !context.rewritten) {
    const own = rewritten(context, plan, bytes.subarray(at, end), nameEnd + 1 - at, textEnd - at)
    // It does and needs what the client's text does.
    passParse({ ...context, rewritten: true, planOf: () => plan }, own, 0, own.length)
    return
  }
  if (nameEnd === at + 5) {
    // The one before is gone as soon as the server reads this, whether it succeeds or not.
    const before = names.unnamed?.parse
    const parse = before && isSame(before, bytes, at, end) ? before : bytes.slice(at, end)
    const unnamed = { parse, plan }
    names.setUnnamed(unnamed, exchange, exchange.asked++)
    server.unnamed = unnamed
    server.send(bytes, at, end)
    return
  }
  const name = nameAt(bytes, at + 5, nameEnd)
  const taken = names.get(name)
  if (taken) {
    // The server has it, so it refuses it by itself.
    if (!server.statements.has(taken)) inject(context, taken.parse, () => server.statements.add(taken))
    sendUnder(server, taken.name, bytes, at, at + 5, nameEnd, end)
    exchange.asked++
    return
  }
  if (context.preparedBySql) {
    // A PREPARE may have made one of this name: then the server refuses it.
    exchange.edit({ at: exchange.asked++, does: 'swallow' })
    server.send(bytes, at, end)
    exchange.edit({ at: exchange.asked++, does: 'swallow' })
    sendClose(server, name)
  }
  const statement = makeStatement(bytes.subarray(nameEnd + 1, end), plan)
  const takeBack = names.set(name, statement)
  server.statements.add(statement)
  exchange.edit({
    ...{ at: exchange.asked++, does: 'watch' },
    onUndone() {
      takeBack()
      server.statements.delete(statement)
    },
  })
  server.send(statement.parse)
  const { settings, statements } = context
  if (settings === null) return
  const keep = context.describing(statement)
  exchange.edit({
    ...{ at: exchange.asked++, does: 'swallow' },
    onDone(answer) {
      keep?.(answer)
      statement.described = describedBy(answer)
      const shared = statements.share(statement, settings)
      // Two names of one client's are two, so that an error can tell which.
      if (shared === statement || names.has(shared)) return
      names.replace(name, statement, shared)
      server.statements.delete(statement)
      server.leftovers.push(statement)
    },
  })
  server.send(describes('S', statement.name))
}

/** A Parse message whose text speaks of the gateway's own. */
function rewritten(
  { names, own }: Context,
  plan: StatementPlan,
  of: Uint8Array,
  textStart: number,
  textEnd: number,
): Uint8Array {
  const asked = Buffer.from(of.subarray(textStart, textEnd)).toString('latin1')
  const text = ownText(asked, plan, names, own)
  return message(Parse, of.subarray(5, textStart), Buffer.from(text, 'latin1'), of.subarray(textEnd))
}

/** Sends a simple Query whose text speaks of the gateway's own. */
export function passQuery(
  { names, onSignal, own, server }: Pick<Context, 'names' | 'onSignal' | 'own' | 'server'>,
  plan: StatementPlan,
  sent: Uint8Array,
): void {
  const asked = Buffer.from(sent.subarray(5, -1)).toString('latin1')
  if ((plan.needs & Needs.backendSignal) !== 0) sendSignals(asked, null, onSignal)
  const text = ownText(asked, plan, names, own)
  server.send(message(Query, Buffer.from(`${text}\0`, 'latin1')))
}

/** Needs for which a text is not sent as it came. */
export const rewrittenNeeds = Needs.backendSignal | Needs.statementNames | Needs.ownShow

/** The text that the server gets: clients to signal, names of statements, and what the gateway knows are the gateway's. */
function ownText(text: string, plan: StatementPlan, names: Names, own: Own): string {
  const isAlone = plan.statements === 1
  const shown = isAlone && plan.shows.length === 1 ? asSelect(plan.shows[0]!, own) : null
  if (shown !== null) return shown
  const safe = (plan.needs & Needs.backendSignal) === 0 ? text : signalSafe(text)
  return (plan.needs & Needs.statementNames) !== 0 && isAlone ? withOwnNames(safe, names) : safe
}

/** The statement that is bound may signal a client, or deallocate a statement. */
function passBind(context: Context, bytes: Uint8Array, at: number, end: number, length: number): void {
  const { exchange, names } = context
  const nameStart = nulAfter(bytes, at + 5, end) + 1
  const nameEnd = nulAfter(bytes, nameStart, end)
  const statement = nameEnd === nameStart ? names.unnamed : names.get(nameAt(bytes, nameStart, nameEnd))
  if (statement) {
    if ((statement.plan.needs & Needs.backendSignal) !== 0)
      sendSignals(
        Buffer.from(statement.parse).toString('latin1'),
        new BoundValues(bytes, nameEnd + 1, end),
        context.onSignal,
      )
  }
  if (statement || context.preparedBySql) context.onBound(statement ?? null, bytes, at, nameEnd + 1, end)
  passNamed(context, bytes, at, nameStart, end, length)
  exchange.asked++
  // Behind the Bind, for the statement may be the one that it deallocates; not within it.
  const deallocates = statement ? deallocatesOnly(statement.plan) : null
  if (deallocates !== null && length === end - at) lend(context, { does: 'deallocate', name: deallocates })
}

/**
 * What is next in the series speaks by name of a statement that a Parse made. The server knows that one by another name,
 * and others use it: it gets one of the client's name, and to deallocate an empty one.
 */
export function lend(
  { exchange, names, server }: Pick<Context, 'exchange' | 'names' | 'server'>,
  { does, name }: StatementPlan['named'][number],
): void {
  const statement = names.get(name)
  if (!statement) return
  // What an error leaves there of a name that was lent before.
  exchange.edit({ at: exchange.asked++, does: 'swallow' })
  sendClose(server, name)
  const at = exchange.asked++
  if (does === 'deallocate') {
    exchange.edit({ at, does: 'swallow', onUndone: names.delete(name) })
    sendEmpty(server, name)
  } else {
    exchange.edit({ at, does: 'swallow' })
    sendCopy(server, name, statement)
  }
}

/** Of a statement. */
function passDescribe(context: Context, bytes: Uint8Array, at: number, end: number): void {
  const { exchange, names } = context
  const unnamed = bytes[at + 6] === 0 ? names.unnamed : null
  const keep = unnamed && context.describing(unnamed)
  passNamed(context, bytes, at, at + 6, end)
  if (unnamed && keep)
    exchange.edit({
      ...{ at: exchange.asked, does: 'watch' },
      onDone(answer) {
        keep(answer)
        unnamed.described = describedBy(answer)
      },
    })
}

function passClose(context: Context, bytes: Uint8Array, at: number, end: number): void {
  const { exchange, names, server } = context
  const name = nameAt(bytes, at + 6, end - 1)
  const known = name !== '' && names.get(name) !== undefined
  if (!known) {
    if (name === '') names.setUnnamed(null, exchange, exchange.asked)
    else if (context.preparedBySql) context.onSqlClosed()
    server.send(bytes, at, end)
    exchange.asked++
    return
  }
  // The connection keeps it: others use it too.
  exchange.edit({ at: exchange.asked, does: 'say', bytes: closeComplete(), onUndone: names.delete(name) })
}

/** A message that names a statement, from `nameStart` to a NUL. */
function passNamed(
  context: Context,
  bytes: Uint8Array,
  at: number,
  nameStart: number,
  end: number,
  length: number = end - at,
): void {
  const { server, names } = context
  if (bytes[nameStart] === 0) {
    const { unnamed } = names
    // One that another client left there must not be met by a client that has none.
    if (server.unnamed !== unnamed)
      inject(context, unnamed?.parse ?? closeUnnamed, () => {
        server.unnamed = unnamed
      })
    server.send(bytes, at, end)
    return
  }
  const nameEnd = nulAfter(bytes, nameStart, end)
  const statement = names.get(nameAt(bytes, nameStart, nameEnd))
  if (!statement) {
    server.send(bytes, at, end)
    return
  }
  if (!server.statements.has(statement))
    inject(context, statement.parse, () => server.statements.add(statement))
  sendUnder(server, statement.name, bytes, at, nameStart, nameEnd, end, length)
}

/** A Parse or Close of ours within a series: it is open already, so that nothing can be prepared before it. */
export function inject(
  { server, exchange }: Pick<Context, 'server' | 'exchange'>,
  message: Uint8Array,
  onDone: () => void,
): void {
  exchange.edit({ at: exchange.asked++, does: 'swallow', onDone })
  server.send(message)
}

/** A Close of a statement under a name of the client's. */
export const sendClose = (server: ServerConnection, name: string) =>
  sendUnder(server, name, closeUnnamed, 0, 6, 6, closeUnnamed.length)

/** The Parse of an empty one: no fault in a failed transaction either. */
export const sendEmpty = (server: ServerConnection, name: string) =>
  sendUnder(server, name, parseNothing, 0, 5, 5, parseNothing.length)

const closeUnnamed = close('S', '')
const parseNothing = parse('', '')

/** The Parse of a statement under a name of the client's. */
export const sendCopy = (server: ServerConnection, name: string, { name: own, parse }: Statement) =>
  sendUnder(server, name, parse, 0, 5, 5 + own.length, parse.length)

/** Sends a message with another name in place of the one from `nameStart` to `nameEnd`. */
function sendUnder(
  server: ServerConnection,
  name: string,
  bytes: Uint8Array,
  at: number,
  nameStart: number,
  nameEnd: number,
  end: number,
  length: number = end - at,
): void {
  const before = nameStart - at
  const head = new Uint8Array(before + name.length)
  for (let i = 0; i < before; i++) head[i] = bytes[at + i]!
  for (let i = 0; i < name.length; i++) head[before + i] = name.charCodeAt(i)
  const size = length - 1 - (nameEnd - nameStart) + name.length
  head[1] = size >>> 24
  head[2] = size >>> 16
  head[3] = size >>> 8
  head[4] = size
  server.send(head)
  server.send(bytes, nameEnd, end)
}

/** What a series is about to do, known before any of it is sent. */
export interface Survey {
  /** Statements that it uses and its connection lacks; those that the series itself prepares are none of them. */
  lacks: Statement[]
  /** The same of the client's unnamed statement. */
  lacksUnnamed: boolean
  /** It uses the unnamed statement as it was before. */
  usesUnnamed: boolean
}

/**
 * Looks through a series before it is sent.
 *
 * @param at of the series' first message, and `end` behind its last: all bytes are there
 * @param onPlan called for each statement that the series prepares or binds
 */
export function survey(
  context: Pick<Context, 'server' | 'names' | 'planOf' | 'onPlan' | 'onUnnamedSetting'>,
  bytes: Uint8Array,
  at: number,
  end: number,
): Survey {
  const { server, names } = context
  let lacks = none
  let lacksUnnamed = false
  let parsesUnnamed = false
  let usesUnnamed = false
  let unnamedSetting = false
  let closed: Set<string> | null = null
  const noted = (plan: StatementPlan) => {
    context.onPlan(plan)
    if (plan.unknownSettings) unnamedSetting = true
    if ((plan.needs & Needs.statementNames) !== 0)
      for (const [, statement] of names) if (!server.statements.has(statement)) lacks = [...lacks, statement]
  }
  const first = at
  while (at < end) {
    const messageEnd = Math.min(at + lengthAt(bytes, at), end)
    const type = bytes[at]
    let nameStart = 0
    if (type === Bind) nameStart = nulAfter(bytes, at + 5, messageEnd) + 1
    else if (type === Describe && bytes[at + 5] === statementByte) nameStart = at + 6
    else if (type === Close && bytes[at + 5] === statementByte) {
      // Whatever it stood for: what comes behind it in the series does not mean that.
      if (bytes[at + 6] === 0) parsesUnnamed = true
      else if (names.size > 0) {
        closed ??= new Set()
        closed.add(nameAt(bytes, at + 6, nulAfter(bytes, at + 6, messageEnd)))
      }
    } else if (type === Parse) {
      const nameEnd = nulAfter(bytes, at + 5, messageEnd)
      noted(context.planOf(bytes, nameEnd + 1, nulAfter(bytes, nameEnd + 1, messageEnd)))
      // A name that is taken already is refused by the server: it must have it.
      if (bytes[at + 5] === 0) parsesUnnamed = true
      else nameStart = at + 5
    }
    if (nameStart > 0) {
      if (bytes[nameStart] === 0) {
        const { unnamed } = names
        if (!parsesUnnamed) usesUnnamed = true
        if (!parsesUnnamed && unnamed !== null) {
          noted(unnamed.plan)
          if (server.unnamed !== unnamed) lacksUnnamed = true
        }
      } else if (names.size > 0) {
        const name = nameAt(bytes, nameStart, nulAfter(bytes, nameStart, messageEnd))
        const statement = closed?.has(name) ? undefined : names.get(name)
        if (statement) {
          noted(statement.plan)
          if (server.statements.delete(statement)) server.statements.add(statement)
          if (!server.statements.has(statement) && !lacks.includes(statement)) lacks = [...lacks, statement]
        }
      }
    }
    at = messageEnd
  }
  if (unnamedSetting) context.onUnnamedSetting(bytes.subarray(first, end))
  return lacks.length === 0 && !usesUnnamed ? nothing : { lacks, lacksUnnamed, usesUnnamed }
}

const none: Statement[] = []
/** The usual answer. */
const nothing: Survey = { lacks: none, lacksUnnamed: false, usesUnnamed: false }

/** Clients tend to say the same thing again. */
function isSame(known: Uint8Array, bytes: Uint8Array, at: number, end: number): boolean {
  if (known.length !== end - at) return false
  for (let i = 0; i < known.length; i++) if (known[i] !== bytes[at + i]) return false
  return true
}

/** The NUL that ends a string, or the message's end if there is none: the server then refuses the message. */
function nulAfter(bytes: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end && bytes[at] !== 0) at++
  return at
}
