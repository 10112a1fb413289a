/** The process ids and secret keys that clients are given, and whom they belong to. */
import { randomFillSync, timingSafeEqual } from 'node:crypto'
import { firstProcessId } from '../session/signals.ts'

const lastProcessId = 0x7fff_ffff

export interface Key {
  readonly processId: number
  readonly secretKey: Uint8Array
}

export interface KeyOwner {
  readonly key: Key
  /** Ends when what it cancels was told. */
  cancel(): Promise<void>
}

export class Keys<Owner extends KeyOwner> {
  readonly #owners = new Map<number, Owner>()
  #next = firstProcessId

  /** A key that nobody else has; its owner is to be entered. */
  make(secretKeyBytes: number): Key {
    do this.#next = this.#next === lastProcessId ? firstProcessId : this.#next + 1
    while (this.#owners.has(this.#next))
    // From the pool of small buffers: there may be many thousand of them.
    return { processId: this.#next, secretKey: randomFillSync(Buffer.allocUnsafe(secretKeyBytes)) }
  }

  enter(owner: Owner): void {
    this.#owners.set(owner.key.processId, owner)
  }

  remove(owner: Owner): void {
    this.#owners.delete(owner.key.processId)
  }

  /** By its process id alone, which is no secret. */
  owner(processId: number): Owner | undefined {
    return this.#owners.get(processId)
  }

  /** Cancels what the key's owner waits for; a key that is not right does nothing, and nobody is told. */
  async cancel(processId: number, secretKey: Uint8Array): Promise<void> {
    const owner = this.#owners.get(processId)
    if (owner?.key.secretKey.length !== secretKey.length || !timingSafeEqual(owner.key.secretKey, secretKey))
      return
    await owner.cancel()
  }
}
