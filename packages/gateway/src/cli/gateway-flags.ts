/** What `serve`, `check` and `dev` have in common: where the configuration comes from, and what wins over it. */
import { parseArgs } from 'node:util'
import type { Flags } from '../config/index.ts'
import { UsageError } from './usage-error.ts'

export const flagsUsage = `  --config <file>       the configuration (sluice.toml here, if there is one)
  --origin <url>        postgres://user:password@host:5432/database; better in
                        SLUICE_ORIGIN: words show in the list of processes
  --listen <host:port>  where clients connect (127.0.0.1:6432)
  --pool-size <n>       connections to an origin at most (60)
  --log-level <level>   error, warn, info or debug (info)

  A flag wins over the file. Every key of the file: docs/configuration.md.`

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const

const known = {
  ...{ config: text, origin: text, listen: text, 'pool-size': text, 'log-level': text },
  help: { ...flag, short: 'h' },
} as const

export type GatewayInvocation<Own extends string> =
  | { readonly wants: 'help' }
  | { readonly wants: 'run'; readonly flags: Flags; readonly own: Readonly<Record<Own, boolean>> }

/**
 * @param ownFlags that the one command has besides, without a value
 * @throws UsageError
 */
export function readGatewayFlags<Own extends string = never>(
  words: readonly string[],
  environment: NodeJS.ProcessEnv,
  ownFlags: readonly Own[] = [],
): GatewayInvocation<Own> {
  const values = parsed(words, ownFlags)
  if (values.help === true) return { wants: 'help' }
  const given = (name: keyof typeof known) => values[name] as string | undefined
  const origin = given('origin') ?? (environment.SLUICE_ORIGIN || undefined)
  const flags = {
    ...{ config: given('config'), origin, listen: given('listen') },
    ...{ poolSize: given('pool-size'), logLevel: given('log-level') },
  }
  const own = Object.fromEntries(ownFlags.map(name => [name, values[name] === true])) as Record<Own, boolean>
  return { wants: 'run', flags: definedOf(flags), own }
}

function parsed(words: readonly string[], ownFlags: readonly string[]) {
  try {
    const options = { ...known, ...Object.fromEntries(ownFlags.map(name => [name, flag])) }
    return parseArgs({ args: [...words], options, allowPositionals: false }).values as Record<
      string,
      string | boolean | undefined
    >
  } catch (error) {
    // Node's second sentence speaks of positional arguments, which nobody meant.
    throw new UsageError((error as Error).message.split('. ')[0]!)
  }
}

const definedOf = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: NonNullable<T[Key]>
  }
