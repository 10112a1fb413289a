import { createPrivateKey, X509Certificate } from 'node:crypto'
import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { selfSignedCertificate } from './self-signed.ts'

test('it is made for this machine, by itself, with its own key, and holds for years', async () => {
  const { certificate, key } = await selfSignedCertificate()
  const read = new X509Certificate(certificate)
  for (const name of [hostname(), 'localhost']) expect(read.checkHost(name)).toBe(name)
  for (const address of ['127.0.0.1', '::1']) expect(read.checkIP(address)).toBe(address)
  expect(read.checkIssued(read)).toBe(true)
  expect(read.checkPrivateKey(createPrivateKey(key))).toBe(true)
  expect(read.ca).toBe(false)
  expect(new Date(read.validFrom) < new Date()).toBe(true)
  expect(new Date(read.validTo).getFullYear()).toBeGreaterThan(new Date().getFullYear() + 8)
})

test('two are never the same', async () => {
  const [one, other] = await Promise.all([selfSignedCertificate(), selfSignedCertificate()])
  expect(one.key).not.toBe(other.key)
  expect(new X509Certificate(one.certificate).serialNumber).not.toBe(
    new X509Certificate(other.certificate).serialNumber,
  )
})
