/**
 * What pg_current_snapshot() says: which transactions a statement that begins now sees.
 *
 *     5000000120:5000000133:5000000120,5000000127
 *     xmin       xmax       in progress           all below xmin have ended; none from xmax on has
 *
 * Its numbers have 64 bits. The stream's have 32, so two are compared as PostgreSQL does: by their signed difference,
 * which is right as long as they are less than 2^31 transactions apart.
 * Source: PostgreSQL documentation, "Transaction ID and Snapshot Information Functions".
 */
export class Snapshot {
  readonly xmin: bigint
  readonly xmax: bigint
  readonly #inProgress: ReadonlySet<number>

  constructor(text: string) {
    const [xmin, xmax, inProgress = ''] = text.split(':')
    this.xmin = BigInt(xmin!)
    this.xmax = BigInt(xmax!)
    this.#inProgress = new Set(inProgress === '' ? [] : inProgress.split(',').map(xid => low(BigInt(xid))))
  }

  /** Whether it sees what this transaction, which has committed, has done. On a primary a later snapshot does then, too. */
  sees(xid: number): boolean {
    return ((xid - low(this.xmax)) | 0) < 0 && !this.#inProgress.has(xid)
  }

  /** Whether every transaction that had begun when the other one was taken has ended. */
  isPast(other: Snapshot): boolean {
    return this.xmin >= other.xmax
  }
}

const low = (xid: bigint): number => Number(BigInt.asUintN(32, xid))
