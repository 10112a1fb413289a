/**
 * Those in which somebody waits, in the order of their longest wait.
 *
 *     enter ──▶ heap by `oldestWait` ──first(fits)──▶ the longest waiting one that fits
 *     leave ──▶ no longer waiting; it goes when it comes to the top
 *
 * As those who wait are served, an oldest wait becomes a later one, never an earlier one. So a place in the heap may be
 * too far up, never too far down, and is put right at the top: entering and leaving cost next to nothing, and nobody
 * needs to tell of each one that is served.
 */
export interface Waiting {
  /** Since when; never earlier than it was. */
  readonly oldestWait: number
}

interface Place<Who> {
  readonly who: Who
  /** Its oldest wait, as it was when it got this place. */
  since: number
  waits: boolean
  /** It is in the heap, waiting or not. */
  placed: boolean
}

export class WaitOrder<Who extends Waiting> {
  readonly #places = new Map<Who, Place<Who>>()
  readonly #heap: Place<Who>[] = []
  #size = 0

  /** How many there are. */
  get size(): number {
    return this.#size
  }

  has(who: Who): boolean {
    return this.#places.get(who)?.waits ?? false
  }

  /** Somebody waits in it. Once more is harmless. */
  enter(who: Who): void {
    const since = who.oldestWait
    const place = this.#places.get(who) ?? { ...{ who, since }, waits: false, placed: false }
    if (place.waits) return
    this.#places.set(who, place)
    place.waits = true
    this.#size++
    if (!place.placed) this.#push(place, since)
  }

  /** Nobody waits in it any more. Once more is harmless. */
  leave(who: Who): void {
    const place = this.#places.get(who)
    if (!place?.waits) return
    place.waits = false
    this.#size--
  }

  /**
   * The first that fits.
   *
   * @param fits must change nothing here
   */
  first(fits: (who: Who) => boolean): Who | null {
    const passed: Place<Who>[] = []
    let found: Who | null = null
    for (let top = this.#heap[0]; top && found === null; top = this.#heap[0]) {
      const since = top.who.oldestWait
      if (!top.waits) {
        this.#pop()
        this.#places.delete(top.who)
      } else if (since !== top.since) {
        top.since = since
        this.#sink()
      } else if (fits(top.who)) found = top.who
      else passed.push(this.#pop())
    }
    for (const place of passed) this.#push(place, place.since)
    return found
  }

  #push(place: Place<Who>, since: number): void {
    place.since = since
    place.placed = true
    const heap = this.#heap
    let at = heap.length
    for (let above = (at - 1) >> 1; at > 0 && heap[above]!.since > since; above = (at - 1) >> 1) {
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = place
  }

  #pop(): Place<Who> {
    const heap = this.#heap
    const top = heap[0]!
    const last = heap.pop()!
    top.placed = false
    if (last === top) return top
    heap[0] = last
    this.#sink()
    return top
  }

  /** The top goes down to where it belongs. */
  #sink(): void {
    const heap = this.#heap
    const place = heap[0]!
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below + 1 < heap.length && heap[below + 1]!.since < heap[below]!.since) below++
      if (below >= heap.length || heap[below]!.since >= place.since) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = place
  }
}
