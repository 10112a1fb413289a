/** One program on fresh schemas, directly and through a gateway of its own. */
import type { OriginOptions } from '../../../packages/gateway/src/backend.ts'
import type { TestGateway } from '../../support/gateway.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'
import { directly } from './directly.ts'
import { type Program, short } from './program.ts'
import { common, fresh, freshRows } from './schema.ts'
import { told } from './script.ts'
import { type Result, through } from './through.ts'

export type Start = (originUrl: string, origin: Partial<OriginOptions>) => Promise<TestGateway>

export class Comparison {
  readonly #start: Start
  readonly #plainUrl: string
  readonly #pooledUrl: string
  readonly #admins: readonly RawClient[]
  /** Clients whose schemas were left with all that is defined there. */
  readonly #defined = new Set<number>()
  /** A run that is stuck for so long is a failure. */
  patienceMs = 5_000

  private constructor(start: Start, plainUrl: string, pooledUrl: string, admins: readonly RawClient[]) {
    this.#start = start
    this.#plainUrl = plainUrl
    this.#pooledUrl = pooledUrl
    this.#admins = admins
  }

  /**
   * @param start starts the gateway
   * @param urls of two databases of one server: programs run directly on one, through the gateway on the other
   */
  static async of(start: Start, ...urls: [plain: string, pooled: string]): Promise<Comparison> {
    const [plain, pooled] = urls.map(asDifferential) as [string, string]
    const admins = [await rawClient(plain), await rawClient(pooled)]
    for (const admin of admins) await admin.query(common)
    return new Comparison(start, plain, pooled, admins)
  }

  /** Null if every client hears the same; else what differs, to read. */
  async difference(program: Program): Promise<string | null> {
    const { starts, pool, turns } = program
    const sql = starts
      .map((_, client) => (this.#defined.has(client) ? freshRows(client) : fresh(client)))
      .join('')
    for (const heard of await Promise.all(this.#admins.map(admin => admin.query(sql))))
      if (heard.some(word => word.startsWith('E'))) throw new Error(`no fresh schemas: ${heard}`)
    for (const client of starts.keys()) this.#defined.add(client)
    for (const { client, says } of turns)
      if (says.some(said => 'sql' in said && defines.test(said.sql))) this.#defined.delete(client)
    const direct = await directly(program, this.#plainUrl)
    const gateway = await this.#start(this.#pooledUrl, { connectionLimit: pool, auth: 'trust' })
    try {
      const heard = await through(program, direct.script, gateway.url, this.patienceMs)
      const differences = direct.heard.flatMap((expected, client) => unlike(client, expected, heard[client]!))
      if (differences.length === 0) return null
      return [
        `with a pool of ${pool}, clients started with ${JSON.stringify(starts)}`,
        told(direct.script),
        ...differences,
      ].join('\n')
    } finally {
      await gateway.stop()
    }
  }

  close(): void {
    for (const admin of this.#admins) admin.destroy()
  }
}

/** Changes a schema, perhaps. */
const defines = /create|alter|drop|comment|grant|revoke/

function asDifferential(url: string): string {
  const own = new URL(url)
  own.username = own.password = 'differential'
  return own.href
}

/** Where two answers part, with a few lines before and behind. */
function unlike(client: number, expected: readonly string[], { lines: heard, whole }: Result): string[] {
  const length = whole ? Math.max(expected.length, heard.length) : heard.length
  const at = Array.from({ length }, (_, n) => n).find(n => expected[n] !== heard[n])
  if (at === undefined) return []
  const from = Math.max(0, at - 3)
  const part = (lines: readonly string[]) => lines.slice(from, from + 9).map(line => `  ${short(line)}`)
  return [
    `client ${client} hears from PostgreSQL, from message ${from} on:`,
    ...part(expected),
    'and through the gateway:',
    ...part(heard),
  ]
}
