/** The process ids and secret keys that clients are given, and whom they belong to. */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { firstProcessId } from '../session/signals.ts'

const lastProcessId = 0x7fff_ffff

export interface Cancellable {
  /** Ends when what it cancels was told. */
  cancel(): Promise<void>
}

export class Keys<Owner extends Cancellable> {
  readonly #owners = new Map<number, { secretKey: Uint8Array; owner: Owner }>()
  #next = firstProcessId

  /** A key that nobody else has. */
  give(owner: Owner, secretKeyBytes: number): { processId: number; secretKey: Uint8Array } {
    do this.#next = this.#next === lastProcessId ? firstProcessId : this.#next + 1
    while (this.#owners.has(this.#next))
    const secretKey = randomBytes(secretKeyBytes)
    this.#owners.set(this.#next, { secretKey, owner })
    return { processId: this.#next, secretKey }
  }

  take(processId: number): void {
    this.#owners.delete(processId)
  }

  /** By its process id alone, which is no secret. */
  owner(processId: number): Owner | undefined {
    return this.#owners.get(processId)?.owner
  }

  /** Cancels what the key's owner waits for; a key that is not right does nothing, and nobody is told. */
  async cancel(processId: number, secretKey: Uint8Array): Promise<void> {
    const known = this.#owners.get(processId)
    if (known?.secretKey.length !== secretKey.length || !timingSafeEqual(known.secretKey, secretKey)) return
    await known.owner.cancel()
  }
}
