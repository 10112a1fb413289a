/**
 * What a StartupMessage asks for: user, database, and the settings of the session.
 *
 * Settings come in two ways: as parameters of their own, and as a command line in the parameter `options`. The first
 * win, whatever their order, because the server takes the command line first.
 *
 * Source: ProcessStartupPacket, process_startup_options and process_postgres_switches of the server.
 */
import {
  ClientRefused,
  noUser,
  optionWithoutValue,
  replication,
  replicationValue,
  unknownSwitch,
} from './refusal.ts'

export interface StartupParameters {
  user: string
  database: string
  /** Names in lower case; values as they were given, neither known nor checked: the origin does that. */
  settings: Map<string, string>
}

/** @throws ClientRefused */
export function readStartupParameters(parameters: ReadonlyMap<string, string>): StartupParameters {
  const replicates = parameters.get('replication')
  if (replicates !== undefined && isReplication(replicates)) throw new ClientRefused(replication())
  const user = identifier(parameters.get('user') ?? '')
  if (user === '') throw new ClientRefused(noUser())
  const settings = readOptions(parameters.get('options') ?? '')
  for (const [name, value] of parameters)
    if (!notSettings.has(name) && !name.startsWith(protocolOption)) settings.set(name.toLowerCase(), value)
  return {
    user,
    database: identifier(parameters.get('database') ?? '') || user,
    settings,
  }
}

const protocolOption = '_pq_.'
const notSettings = new Set(['user', 'database', 'options', 'replication'])

/** Parameters of the protocol, of which none is known here: the client is told. */
export const unknownOptions = (parameters: ReadonlyMap<string, string>): string[] =>
  [...parameters.keys()].filter(name => name.startsWith(protocolOption))

/** `database` is logical replication; else a boolean as the server reads one: each beginning that is clear. */
function isReplication(value: string): boolean {
  if (value === 'database') return true
  const is = (word: string, least = 1) => value.length >= least && word.startsWith(value.toLowerCase())
  if (is('true') || is('yes') || is('on', 2) || value === '1') return true
  if (is('false') || is('no') || is('off', 2) || value === '0') return false
  throw new ClientRefused(replicationValue(value))
}

/**
 * The settings on a command line: `-c name=value` and `--name=value`, divided by space, which a backslash escapes.
 * The plus sign is none: a URL that has it for a space is to be decoded by who reads the URL.
 *
 * @throws ClientRefused
 */
export function readOptions(commandLine: string): Map<string, string> {
  const settings = new Map<string, string>()
  const set = (flag: string, text: string) => {
    const equals = text.indexOf('=')
    if (equals === -1) throw new ClientRefused(optionWithoutValue(`${flag}${text}`))
    const name = text.slice(0, equals).replaceAll('-', '_').toLowerCase()
    settings.set(name, text.slice(equals + 1))
  }
  const words = split(commandLine)
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const text = word === '-c' ? words.shift() : word.startsWith('-c') ? word.slice(2) : undefined
    if (text !== undefined) set('-c ', text)
    else if (word.startsWith('--') && word.length > 2) set('--', word.slice(2))
    else throw new ClientRefused(unknownSwitch(word))
  }
  return settings
}

function split(commandLine: string): string[] {
  const words = commandLine.match(/(?:\\.|[^\\ \t\n\v\f\r])+/gs) ?? []
  return words.map(word => word.replace(/\\(.)/gs, '$1'))
}

const longestName = 63
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** As the server cuts names of users and databases: after 63 bytes. */
function identifier(name: string): string {
  const bytes = encoder.encode(name)
  return bytes.length > longestName ? decoder.decode(bytes.subarray(0, longestName)) : name
}
