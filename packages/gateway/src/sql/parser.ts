/**
 * PostgreSQL's own parser, as WebAssembly, and kept alive.
 *
 * A statement that nests deep enough overflows the stack in the midst of the parser, which can't clean up: some forty
 * such texts, and it would never read another one. So a parser that has failed in any other way than by refusing a text is
 * thrown away, and a new one made of the compiled module; until it is there nothing is read. That is why the package's
 * own functions are not used: their parser can't be replaced.
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { ParseResult } from 'libpg-query'

const require = createRequire(import.meta.url)

/** What the package's libpg-query.js makes. */
interface Module {
  _malloc(size: number): number
  _free(pointer: number): void
  _wasm_parse_query_raw(text: number): number
  _wasm_free_parse_result(result: number): void
  _wasm_parse_plpgsql(text: number): number
  _wasm_free_string(text: number): void
  getValue(pointer: number, type: 'i32'): number
  lengthBytesUTF8(text: string): number
  stringToUTF8(text: string, pointer: number, size: number): void
  UTF8ToString(pointer: number): string
}
type MakeModule = (options: {
  instantiateWasm(imports: WebAssembly.Imports, receive: (instance: WebAssembly.Instance) => void): object
}) => Promise<Module>

/** Where the fields of a PgQueryParseResult are. */
const treeField = 0
const errorField = 8

type Statements = NonNullable<ParseResult['stmts']>

export class Parser {
  readonly #make: () => Promise<Module>
  #module: Module | null
  /** What was asked for last. */
  #last: { readonly text: string; readonly statements: Statements | null } | null = null

  private constructor(make: () => Promise<Module>, module: Module) {
    this.#make = make
    this.#module = module
  }

  static async load(): Promise<Parser> {
    const makeModule = require('libpg-query/wasm/libpg-query.js') as MakeModule
    const compiled = await WebAssembly.compile(
      await readFile(require.resolve('libpg-query/wasm/libpg-query.wasm')),
    )
    const make = () =>
      makeModule({
        instantiateWasm(imports, receive) {
          receive(new WebAssembly.Instance(compiled, imports))
          return {}
        },
      })
    return new Parser(make, await make())
  }

  /** A new one is being made; until then all texts give null. */
  get busy(): boolean {
    return this.#module === null
  }

  /**
   * The statements of a text, not to be written into; null if the grammar refuses it, or it nests too deep.
   *
   * Whoever asks for the same text again gets the same tree: of a new one the plan, what it reads and what it writes
   * are made one after the other.
   */
  parse(text: string): Statements | null {
    if (this.#last?.text === text) return this.#last.statements
    const statements = this.#read(text, parse)
    this.#last = this.busy ? null : { text, statements }
    return statements
  }

  /** The functions and procedures in PL/pgSQL that a text creates, as trees whose nodes are called as in plpgsql.h. */
  parsePlpgsql(text: string): object | null {
    return this.#read(text, parsePlpgsql)
  }

  #read<Tree>(text: string, read: (module: Module, text: string) => Tree | null): Tree | null {
    if (this.#module === null) return null
    try {
      return read(this.#module, text)
    } catch {
      this.#module = null
      this.#make().then(
        module => {
          this.#module = module
        },
        // Without memory for another one, all texts are judged by their words.
        () => {},
      )
      return null
    }
  }
}

/** Null for a syntax error. */
function parse(module: Module, text: string): Statements | null {
  const pointer = allocated(module, text)
  const result = module._wasm_parse_query_raw(pointer)
  module._free(pointer)
  if (result === 0) throw new Error('The parser is out of memory')
  const failed = module.getValue(result + errorField, 'i32') !== 0
  const tree = failed ? null : module.UTF8ToString(module.getValue(result + treeField, 'i32'))
  module._wasm_free_parse_result(result)
  return tree === null ? null : ((JSON.parse(tree) as ParseResult).stmts ?? [])
}

/** The same of PL/pgSQL: what is no tree is an error's message. */
function parsePlpgsql(module: Module, text: string): object | null {
  const pointer = allocated(module, text)
  const result = module._wasm_parse_plpgsql(pointer)
  module._free(pointer)
  if (result === 0) throw new Error('The parser is out of memory')
  const answer = module.UTF8ToString(result)
  module._wasm_free_string(result)
  return answer.startsWith('{') ? (JSON.parse(answer) as object) : null
}

function allocated(module: Module, text: string): number {
  const size = module.lengthBytesUTF8(text) + 1
  const pointer = module._malloc(size)
  module.stringToUTF8(text, pointer, size)
  return pointer
}
