import { beforeEach, expect, test } from 'vitest'
import { Whereabouts } from './whereabouts.ts'

const addresses = [{ host: 'db.example.com', port: 5432 }]
/** What the name leads to; null: the look-up fails. */
let told: readonly string[] | null
let looked: number
let now: number
let whereabouts: Whereabouts
beforeEach(() => {
  told = ['10.0.0.1']
  looked = 0
  now = 0
  whereabouts = new Whereabouts(async () => {
    looked++
    if (told === null) throw new Error('ENOTFOUND')
    return told
  })
})

/** Time goes on, a tenth of a second at a time. */
async function pass(ms: number): Promise<void> {
  for (const end = now + ms; now < end; now += 100) {
    whereabouts.look(addresses, now, () => {})
    await new Promise(setImmediate)
  }
}

const to = (remoteAddress: string, openedAt = 0) => ({ address: addresses[0]!, remoteAddress, openedAt })

test('a connection follows its name within a minute or so', async () => {
  await pass(10_000)
  told = ['10.0.0.2']
  await pass(40_000)
  expect(whereabouts.vanished(to('10.0.0.1'))).toBe(false)
  await pass(30_000)
  expect(whereabouts.vanished(to('10.0.0.1'))).toBe(true)
  expect(whereabouts.vanished(to('10.0.0.2'))).toBe(false)
  expect(whereabouts.vanished(to('::ffff:10.0.0.2'))).toBe(false)
})

test('names are looked up every 5 s, one look-up at a time', async () => {
  await pass(60_000)
  expect(looked).toBe(12)
})

test('a record that rotates loses nobody', async () => {
  for (let turn = 0; turn < 100; turn++) {
    told = [`10.0.0.${1 + (turn % 5)}`]
    await pass(5_000)
    for (const each of [1, 2, 3, 4, 5]) expect(whereabouts.vanished(to(`10.0.0.${each}`))).toBe(false)
  }
})

test('look-ups that fail, or tell nothing, leave all as it was', async () => {
  await pass(10_000)
  for (const answer of [null, []]) {
    told = answer
    await pass(300_000)
    expect(whereabouts.vanished(to('10.0.0.1'))).toBe(false)
  }
})

test('an address that no answer has told yet has its time, from when it was connected to', async () => {
  await pass(100_000)
  const late = to('10.0.0.9', now)
  await pass(50_000)
  expect(whereabouts.vanished(late)).toBe(false)
  await pass(20_000)
  expect(whereabouts.vanished(late)).toBe(true)
})

test('what has no name is not looked up', async () => {
  whereabouts.look([{ host: '10.0.0.1', port: 5432 }, { path: '/tmp/.s.PGSQL.5432' }], 0, () => {})
  expect(looked).toBe(0)
  expect(whereabouts.vanished({ ...to('unix'), address: { path: '/tmp/.s.PGSQL.5432' } })).toBe(false)
})
