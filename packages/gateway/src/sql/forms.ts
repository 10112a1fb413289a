/**
 * Something that is known of texts that differ in their literals only, by their form (reading/literals.ts), bounded in
 * number.
 */
import { Generations } from './generations.ts'
import { Literals } from './reading/literals.ts'

const mostForms = 5_000
const seenPlaces = 4_096
/** Of one form: roles and search paths that take turns. */
const mostContexts = 100

interface Form<Known> {
  readonly bytes: Uint8Array
  readonly known: Map<string, Known>
}

export class Forms<Known> {
  /** Of the text that was asked for last. */
  readonly literals: Literals
  /** Hashes of forms that came lately and are not known. */
  readonly #seen = new Int32Array(seenPlaces)
  /** By the form's hash. */
  readonly #forms = new Generations<number, Form<Known>>(mostForms)

  /** @param mostBytes of a text */
  constructor(mostBytes: number) {
    this.literals = new Literals(mostBytes)
  }

  /** What is known of texts of the same form, by the context in which it holds: to be read and added to. Null: no form. */
  of(text: Uint8Array, start: number, end: number): Map<string, Known> | null {
    this.literals.read(text, start, end)
    return this.literals.failed ? null : this.#use(this.#known() ?? this.#newForm())
  }

  /** The same, where nothing shall be known yet of a form that comes for the first time. */
  ofSeen(text: Uint8Array, start: number, end: number): Map<string, Known> | 'new' | null {
    this.literals.read(text, start, end)
    if (this.literals.failed) return null
    const form = this.#known() ?? (this.#wasSeen() ? this.#newForm() : null)
    return form ? this.#use(form) : 'new'
  }

  #use({ known }: Form<Known>): Map<string, Known> {
    if (known.size >= mostContexts) known.clear()
    return known
  }

  /** Of two with one hash the newer stays. */
  #known(): Form<Known> | null {
    const found = this.#forms.get(this.literals.hash)
    return found && this.literals.is(found.bytes) ? found : null
  }

  #wasSeen(): boolean {
    const { hash } = this.literals
    const place = hash & (seenPlaces - 1)
    if (this.#seen[place] === hash) return true
    this.#seen[place] = hash
    return false
  }

  #newForm(): Form<Known> {
    const { bytes, hash, length } = this.literals
    const form: Form<Known> = { bytes: bytes.slice(0, length), known: new Map() }
    this.#forms.set(hash, form)
    return form
  }
}
