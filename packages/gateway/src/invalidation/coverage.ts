/**
 * Which tables the stream tells of for certain.
 *
 *     published ──▶ in quarantine ──every transaction has ended that was open then──▶ covered
 *         ▲ └───────────────────────────── not published any more ───────────────────────┘
 *         └ doubtful: the publication is about to change
 *
 * A transaction that was open when the stream began, or when its table was added to the publication, may never be shown.
 * So a table waits from a snapshot that was taken after the publication was seen to have it until another one's xmin
 * has passed the first one's xmax. The same holds for a table that was taken out of the publication and put back between
 * two looks: so the publication says of each table since when it has it.
 */
import type { Snapshot } from './snapshot.ts'

export class Coverage {
  #published: ReadonlyMap<number, string> = new Map()
  #covered: ReadonlySet<number> = new Set()
  /** In quarantine since the snapshot; null: it is still to be taken. */
  #waiting: { readonly tables: ReadonlySet<number>; since: Snapshot | null }[] = []

  get covered(): ReadonlySet<number> {
    return this.#covered
  }

  /** Tables in quarantine. */
  get waiting(): number {
    return this.#waiting.reduce((count, { tables }) => count + tables.size, 0)
  }

  /** The publication was looked at: it tells of these tables, and has each since then. */
  published(tables: ReadonlyMap<number, string>): void {
    const before = this.#published
    const stillIn = (some: ReadonlySet<number>) =>
      new Set([...some].filter(table => tables.has(table) && tables.get(table) === before.get(table)))
    this.#published = tables
    this.#covered = stillIn(this.#covered)
    this.#waiting = this.#waiting.map(({ tables, since }) => ({ tables: stillIn(tables), since }))
    const known = [this.#covered, ...this.#waiting.map(({ tables }) => tables)]
    const added = [...tables.keys()].filter(table => !known.some(some => some.has(table)))
    this.#waiting.push({ tables: new Set(added), since: null })
    this.#waiting = this.#waiting.filter(({ tables }) => tables.size > 0)
  }

  /** What the publication has is not known: all begins anew when it was looked at. */
  doubt(): void {
    this.#covered = new Set()
    this.#waiting = []
  }

  /** A snapshot that was asked for after the last look at the publication. */
  probed(snapshot: Snapshot): void {
    if (this.#waiting.length === 0) return
    const over = this.#waiting.filter(({ since }) => since && snapshot.isPast(since))
    for (const group of this.#waiting) group.since ??= snapshot
    if (over.length === 0) return
    this.#waiting = this.#waiting.filter(group => !over.includes(group))
    this.#covered = new Set([...this.#covered, ...over.flatMap(({ tables }) => [...tables])])
  }
}
