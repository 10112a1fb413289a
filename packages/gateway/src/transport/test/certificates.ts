/** Certificates for the tests, made once for each process. */
import { generate } from 'selfsigned'

export interface Pair {
  readonly certificate: string
  readonly key: string
}

export interface Certificates {
  readonly authority: string
  readonly otherAuthority: string
  readonly expiredAuthority: string
  /** For localhost and 127.0.0.1, by the authority. */
  readonly server: Pair
  readonly expired: Pair
  /** Valid itself, by the authority that is not. */
  readonly ofExpiredAuthority: Pair
  readonly client: Pair
  readonly otherClient: Pair
}

type Options = NonNullable<Parameters<typeof generate>[1]>
type Signer = { cert: string; private: string }

const past = { notBeforeDate: new Date('2020-01-01'), notAfterDate: new Date('2021-01-01') }

async function made(name: string, options: Options): Promise<Signer> {
  return generate([{ name: 'commonName', value: name }], { keyType: 'ec', algorithm: 'sha256', ...options })
}

const authorityOptions: Options = {
  extensions: [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, critical: true },
  ],
}

async function signed(name: string, by: Signer, options: Options = {}): Promise<Pair> {
  const { cert: certificate, private: key } = await made(name, {
    ca: { cert: by.cert, key: by.private },
    extensions: [
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: name },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
    ...options,
  })
  return { certificate, key }
}

let kept: Promise<Certificates> | undefined

export function certificates(): Promise<Certificates> {
  kept ??= makeAll()
  return kept
}

async function makeAll(): Promise<Certificates> {
  const authority = await made('authority', authorityOptions)
  const other = await made('other authority', authorityOptions)
  const expiredAuthority = await made('expired authority', { ...authorityOptions, ...past })
  return {
    authority: authority.cert,
    otherAuthority: other.cert,
    expiredAuthority: expiredAuthority.cert,
    server: await signed('localhost', authority),
    expired: await signed('localhost', authority, past),
    ofExpiredAuthority: await signed('localhost', expiredAuthority),
    client: await signed('alice', authority),
    otherClient: await signed('mallory', other),
  }
}
