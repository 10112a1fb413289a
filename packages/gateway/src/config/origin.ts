/** An origin, from a URL or a table: where it is, how it is spoken to, as whom. */
import { readFile } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { resolve } from 'node:path'
import { type origin as originShape, sslModes } from './schema.ts'
import type { Section } from './shape.ts'
import { unreadable } from './unreadable.ts'
import { readUrl } from './url.ts'

export type Address = { readonly host: string; readonly port: number } | { readonly path: string }

/** What dial.ts calls Origin, and as whom. */
export interface OriginPlace {
  readonly origin: {
    readonly addresses: readonly Address[]
    readonly sslmode: (typeof sslModes)[number]
    readonly authority?: string
    readonly certificate?: string
    readonly key?: string
  }
  readonly database: string
  readonly user: string
  readonly password?: string
}

interface Named {
  readonly hosts: string
  readonly port: number
  readonly database: string | undefined
  readonly user: string
  readonly password: string | undefined
  readonly ssl: ReadonlyMap<string, string | undefined>
}

/**
 * @param folder against which paths of certificates are meant
 * @throws Error as in "origin …"
 */
export async function originOf(
  given: string | Section<typeof originShape.keys>,
  folder: string,
): Promise<OriginPlace> {
  const named = typeof given === 'string' ? fromUrl(given) : fromTable(given)
  const { user, password } = named
  return {
    origin: { addresses: addressesOf(named.hosts, named.port), ...(await sslOf(named.ssl, folder)) },
    // As libpq: a database of the user's name.
    database: named.database ?? user,
    user,
    ...(password === undefined ? {} : { password }),
  }
}

function fromUrl(url: string): Named {
  const { user, port, ...rest } = readUrl(url)
  if (user === undefined) throw new Error('names no user: write postgres://user:password@host:5432/database')
  return { ...rest, user, port: port === undefined ? 5432 : portOf(port) }
}

function fromTable({ values }: Section<typeof originShape.keys>): Named {
  const { host, port, database, user, password, sslmode, sslrootcert, sslcert, sslkey } = values
  const ssl = new Map(Object.entries({ sslmode, sslrootcert, sslcert, sslkey }))
  return { hosts: host, port, database, user, password, ssl }
}

/** `h1:5432,h2`, `[::1]:5432`, and folders of Unix sockets, as `/var/run/postgresql`. */
function addressesOf(hosts: string, standardPort: number): Address[] {
  return hosts.split(',').map(text => {
    const each = text.trim()
    if (each === '') throw new Error('names no host')
    const [, v6, name, port] = isIPv6(each)
      ? [each, each]
      : (/^(?:\[([^\]]+)\]|([^:[\]\s]+))(?::(\d*))?$/.exec(each) ?? [])
    const host = v6 ?? name
    if (host === undefined)
      throw new Error('has no readable host and port: write them as db.example.com:5432 or [::1]:5432')
    const at = port ? portOf(port) : standardPort
    return host.startsWith('/') ? { path: `${host}/.s.PGSQL.${at}` } : { host, port: at }
  })
}

function portOf(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535)
    throw new Error('has a port that is no whole number from 1 to 65535')
  return port
}

async function sslOf(ssl: Named['ssl'], folder: string): Promise<Omit<OriginPlace['origin'], 'addresses'>> {
  const system = ssl.get('sslrootcert') === 'system'
  const word = ssl.get('sslmode') ?? (system ? 'verify-full' : 'prefer')
  const sslmode = sslModes.find(each => each === word)
  if (sslmode === undefined) throw new Error(`has an sslmode that is none of ${sslModes.join(', ')}`)
  if (system && sslmode !== 'verify-full')
    throw new Error(`has sslrootcert=system, which needs sslmode=verify-full, not ${sslmode}`)
  const [authority, certificate, key] = await Promise.all([
    system ? undefined : pem(ssl.get('sslrootcert'), folder, 'sslrootcert'),
    pem(ssl.get('sslcert'), folder, 'sslcert'),
    pem(ssl.get('sslkey'), folder, 'sslkey'),
  ])
  if ((certificate === undefined) !== (key === undefined))
    throw new Error(
      `has ${certificate ? 'sslcert without sslkey' : 'sslkey without sslcert'}: one needs the other`,
    )
  return {
    sslmode,
    ...(authority === undefined ? {} : { authority }),
    ...(certificate === undefined || key === undefined ? {} : { certificate, key }),
  }
}

async function pem(path: string | undefined, folder: string, key: string): Promise<string | undefined> {
  if (path === undefined) return undefined
  return readPem(resolve(folder, path), `has an ${key}`)
}

/** @throws Error: `subject` "that can't be read: …" */
export async function readPem(path: string, subject: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${subject} that can't be read: ${path} (${unreadable(error)})`)
  })
  if (!text.includes('-----BEGIN ')) throw new Error(`${subject} that is no PEM: ${path}`)
  return text
}
