import { createHash, X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { generate } from 'selfsigned'
import { expect, test } from 'vitest'
import { tlsServerEndPoint } from './index.ts'

const certificate = async (keyType: 'rsa' | 'ec', algorithm: string) => {
  const { cert } = await generate([{ name: 'commonName', value: 'localhost' }], { keyType, algorithm })
  return new X509Certificate(cert).raw
}

test.each([
  ['rsa', 'sha256', 'sha256'],
  ['rsa', 'sha384', 'sha384'],
  ['rsa', 'sha512', 'sha512'],
  ['rsa', 'sha1', 'sha256'],
  ['ec', 'sha256', 'sha256'],
  ['ec', 'sha384', 'sha384'],
] as const)('a certificate signed by %s with %s is hashed with %s', async (keyType, algorithm, hash) => {
  const der = await certificate(keyType, algorithm)
  expect(tlsServerEndPoint(der)).toEqual(createHash(hash).update(der).digest())
})

test('what is no certificate, or a part of one, has no end point, and does not throw', async () => {
  const der = await certificate('ec', 'sha256')
  for (let length = 0; length < der.length; length++) tlsServerEndPoint(der.subarray(0, length))
  expect(tlsServerEndPoint(der.subarray(0, 100))).toBeNull()
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), bytes => void tlsServerEndPoint(bytes)))
})
