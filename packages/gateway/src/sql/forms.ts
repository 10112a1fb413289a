/**
 * Something that is known of texts that differ in their literals only, by their form (reading/literals.ts), bounded in
 * number: what was not asked for longest goes.
 */
import { Literals } from './reading/literals.ts'

const mostForms = 5_000
/** Of one form: roles and search paths that take turns. */
const mostContexts = 100

interface Form<Known> {
  readonly bytes: Uint8Array
  readonly known: Map<string, Known>
}

export class Forms<Known> {
  /** Of the text that was asked for last. */
  readonly literals: Literals
  /** The same: no text of this form was asked for before, or not for long. */
  isNew = false
  /** By the form's hash; used ones move to the end. */
  readonly #forms = new Map<number, Form<Known>>()

  /** @param mostBytes of a text */
  constructor(mostBytes: number) {
    this.literals = new Literals(mostBytes)
  }

  /** What is known of texts of the same form, by the context in which it holds: to be read and added to. Null: no form. */
  of(text: Uint8Array, start: number, end: number): Map<string, Known> | null {
    this.literals.read(text, start, end)
    if (this.literals.failed) return null
    const { known } = this.#form()
    if (known.size >= mostContexts) known.clear()
    return known
  }

  clear(): void {
    this.#forms.clear()
  }

  /** Of two with one hash the newer takes the place. */
  #form(): Form<Known> {
    const { hash } = this.literals
    const found = this.#forms.get(hash)
    this.#forms.delete(hash)
    this.isNew = !(found && this.literals.is(found.bytes))
    const form = found && !this.isNew ? found : this.#newForm()
    this.#forms.set(hash, form)
    return form
  }

  #newForm(): Form<Known> {
    const [oldest] = this.#forms.keys()
    if (oldest !== undefined && this.#forms.size >= mostForms) this.#forms.delete(oldest)
    return { bytes: this.literals.bytes.slice(0, this.literals.length), known: new Map() }
  }
}
