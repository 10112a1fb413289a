/**
 * What a client's statements leave in the session of a server connection: parameters, and what can't be shared.
 *
 *     texts (plans) ──▶ touched ──probe──▶ wants, pins
 *
 * While a unit runs only the server knows; afterwards, if something was touched, it is asked (probe.ts). What it says
 * is what the client wants of every connection from then on, or a reason to keep this one: a *pin*.
 */
import type { Suspects } from '../origin/suspects.ts'
import { Values } from '../origin/values.ts'
import { type StatementPlan, Touches } from '../sql/plan.ts'
import { type Pin, probeSql, readProbe } from './probe.ts'

/** `SET sluice.pool_mode = session`: the client keeps its server connection from then on. */
const modeParameter = 'sluice.pool_mode'

const noChannels: string[] = []
const noNames: ReadonlySet<string> = new Set()
const latin1 = new TextDecoder('latin1')
/** Names with dots among them; no pattern that could begin anew within a word, which takes the square of its length. */
const words = /[\w$.]+/g
const searchedBytes = 16_384
/** Names of one client's that are asked for. */
const mostCustoms = 200

/** Whose sessions these are. */
export interface Place {
  readonly user: string
  readonly mode: 'transaction' | 'session'
  /** Of its database. */
  readonly suspects: Pick<Suspects, 'has' | 'parameters' | 'change'>
}

export class Traces {
  /** Parameters and role that differ from those of a fresh connection; known between units. */
  wants: Values
  /** Bits of {@link Touches}: what the unit may have changed. */
  touched = 0
  pins: readonly Pin[] = []
  /** Code ran that is not in the text: it may have set parameters whose names only the database knows. */
  ranUnseen = false
  /** Channels that the unit UNLISTENs, `*` for all, if it is not rolled back. */
  unlistens: string[] = noChannels

  readonly #place: Place
  /** Startup parameters. */
  readonly #base: Values
  /** Names with dots that were set; null if none was. */
  #customs: Set<string> | null = null
  #sessionMode: boolean
  #lasting = false
  /** Whether the transaction that is not over makes code, and at which change of the schema its client's last one did. */
  #makesCode: StatementPlan['makesCode'] = 'no'
  #changedAt = 0

  constructor(place: Place, base: Values) {
    this.#place = place
    this.#base = base
    this.wants = base
    this.#sessionMode = place.mode === 'session'
    for (const name of base.byName.keys()) if (name.includes('.')) this.#addCustom(name)
  }

  /** The client keeps its connection whatever it does: what it listens to, it listens to there. */
  get sessionMode(): boolean {
    return this.#sessionMode
  }

  /** The client keeps its connection. */
  get keeps(): boolean {
    return this.#sessionMode || this.pins.length > 0
  }

  /** Parameters may have gone back to where the connection started, and that is not where the client did. */
  get resetsStart(): boolean {
    return (this.touched & Touches.reset) !== 0 && this.#base.byName.size > 0
  }

  /** What the client wants; null while a unit has changed it, and only the server knows. */
  get settled(): Values | null {
    return (this.touched & Touches.settings) === 0 ? this.wants : null
  }

  /** The client may have statements by PREPARE. */
  get preparedBySql(): boolean {
    return (this.touched & Touches.sqlPrepare) !== 0 || this.pins.includes('sql_prepare')
  }

  /** A statement that a PREPARE made may be gone, and with it the pin. */
  onSqlClosed(): void {
    this.touched |= Touches.sqlPrepare
  }

  /** Only the tags of what was run tell what became of it. */
  get wantsTags(): boolean {
    return (this.touched & Touches.deallocate) !== 0 || this.unlistens.length > 0
  }

  /** @param rolledBack an error has ended the transaction */
  onTags(tags: readonly string[], rolledBack: boolean): void {
    for (const tag of tags)
      if (tag === 'DISCARD ALL') this.unlistens = ['*']
      else if (tag === 'ROLLBACK') this.unlistens = []
    if (rolledBack) this.unlistens = []
  }

  onPlan(plan: StatementPlan): void {
    if (plan.changesSchema) {
      if (plan.makesCode === 'yes' || this.#makesCode === 'no') this.#makesCode = plan.makesCode
      this.#noteChange()
      // Event triggers may run, and what it makes until others see it.
      this.onUnknown()
    } else if (this.#place.suspects.has(plan, this.#changedAt)) this.onUnknown()
    const touches = plan.touches & ~Touches.sequences
    if (touches === 0) return
    this.touched |= touches
    for (const { does, channel } of plan.channels)
      if (does === 'unlisten') this.unlistens = [...this.unlistens, channel]
    // What is not asked for can't be carried, and must not be met by others.
    for (const name of plan.customSettings) if (!this.#addCustom(name)) this.#lasting = true
    if ((plan.touches & Touches.lasting) !== 0) this.#lasting = true
    if (plan.unknownSettings) this.ranUnseen = true
  }

  /** The transaction is over. */
  onOver(): void {
    this.#noteChange()
    this.#makesCode = 'no'
  }

  /** Whoever reads the schema before the commit sees what it was before: it is said when sent, and when committed. */
  #noteChange(): void {
    if (this.#makesCode !== 'no') this.#changedAt = this.#place.suspects.change(this.#makesCode)
  }

  /** The names of parameters that code may have set which is not in the text; null if nobody can tell. */
  unseenParameters(): Promise<ReadonlySet<string> | null> {
    return this.#place.suspects.parameters(this.#changedAt)
  }

  /**
   * A parameter may be set whose name the text does not tell: each word with a dot in it, here and among the values
   * that are bound, may be the name.
   */
  onUnnamedSetting(bytes: Uint8Array): void {
    const text = latin1.decode(bytes.subarray(0, searchedBytes))
    for (const [word] of text.matchAll(words)) {
      // Before a bound value stands its length, whose last byte may look like a digit.
      const start = word.search(/[a-z_]/i)
      const name = start < 0 ? '' : word.slice(start).toLowerCase()
      const dot = name.indexOf('.')
      if (dot > 0 && dot < name.length - 1) this.#addCustom(name)
    }
  }

  /** @returns false if there are too many: it will not be asked for */
  #addCustom(name: string): boolean {
    this.#customs ??= new Set()
    if (this.#customs.size < mostCustoms) this.#customs.add(name)
    return this.#customs.has(name)
  }

  /** A function was called that may do anything. */
  onUnknown(): void {
    this.ranUnseen = true
    this.touched |=
      Touches.settings | Touches.advisoryLock | Touches.temporary | Touches.holdCursor | Touches.sqlPrepare
  }

  /**
   * The SQL that asks for them, and what reads its rows: gives what the connection has.
   *
   * @param others names of parameters, too, that may have been set
   */
  probe(others: ReadonlySet<string> = noNames): {
    sql: string
    read: (rows: readonly (readonly (string | null)[])[]) => { has: Values; channels: readonly string[] }
  } {
    const customs = [...new Set([modeParameter, ...(this.#customs ?? []), ...others])]
    return {
      sql: probeSql(customs),
      read: rows => {
        const { values, pins, channels } = readProbe(rows, customs, this.#place.user)
        for (const [name, value] of values) if (others.has(name) && value !== '') this.#addCustom(name)
        // Words of texts that were no names of parameters, or of none that was set.
        for (const name of this.#customs ?? [])
          if (!values.has(name) && !this.#base.byName.has(name)) this.#customs?.delete(name)
        // It has no value again; the client's own goes over it.
        if ((this.touched & Touches.reset) !== 0)
          for (const name of this.#base.byName.keys())
            if (name.includes('.') && values.get(name) === '') values.delete(name)
        const asked = values.get(modeParameter)?.toLowerCase()
        const mode = asked === 'session' || asked === 'transaction' ? asked : this.#place.mode
        this.#sessionMode = mode === 'session'
        this.pins = this.#lasting ? [...pins, 'lasting'] : pins
        this.touched = 0
        this.ranUnseen = false
        this.wants = this.#base.with(values)
        return { has: Values.of(values), channels }
      },
    }
  }

  /** What the session is like can't be asked: it can be neither shared nor carried to another connection. */
  onUnreadable(): void {
    this.touched = 0
    this.ranUnseen = false
    this.pins = ['unreadable']
    this.#sessionMode = true
  }

  /** The client is gone and the connection cleaned. */
  forget(): void {
    this.touched = 0
    this.ranUnseen = false
    this.pins = []
    this.#sessionMode = false
  }

  /** Nothing undoes what was left: the connection can't be cleaned. */
  get indelible(): boolean {
    return this.#lasting
  }
}
