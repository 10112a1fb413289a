/** Values by key for as long as somebody else holds them: what is interned costs nothing once it is used no more. */
export class WeakTable<Value extends object> {
  readonly #values = new Map<string, WeakRef<Value>>()
  readonly #gone = new FinalizationRegistry<string>(key => {
    if (this.#values.get(key)?.deref() === undefined) this.#values.delete(key)
  })

  get(key: string): Value | undefined {
    return this.#values.get(key)?.deref()
  }

  set(key: string, value: Value): void {
    this.#values.set(key, new WeakRef(value))
    this.#gone.register(value, key)
  }

  delete(key: string): void {
    this.#values.delete(key)
  }
}
