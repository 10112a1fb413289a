import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WaitOrder } from './wait-order.ts'

type Step = { does: 'enter' | 'leave' | 'serve' | 'ask'; who: number; fits: readonly boolean[] }

const count = 5
const steps = fc.array(
  fc.record<Step>({
    does: fc.constantFrom('enter', 'leave', 'serve', 'ask'),
    who: fc.nat(count - 1),
    fits: fc.array(fc.boolean(), { minLength: count, maxLength: count }),
  }),
)

test('whatever enters, leaves and is served, the first that fits is the one that waits longest', () => {
  fc.assert(
    fc.property(steps, steps => {
      let now = 0
      const all = Array.from({ length: count }, (_, name) => ({ name, oldestWait: 0 }))
      const waits = new Set<(typeof all)[number]>()
      const order = new WaitOrder<(typeof all)[number]>()
      for (const { does, who, fits } of steps) {
        const one = all[who]!
        now++
        if (does === 'enter' && !waits.has(one)) {
          one.oldestWait = now
          waits.add(one)
          order.enter(one)
        } else if (does === 'leave') {
          waits.delete(one)
          order.leave(one)
        } else if (does === 'serve') one.oldestWait = now
        const expected = [...waits]
          .filter(({ name }) => fits[name])
          .sort((a, b) => a.oldestWait - b.oldestWait)[0]
        if (does === 'ask') expect(order.first(({ name }) => fits[name]!)).toBe(expected ?? null)
        expect(order.size).toBe(waits.size)
        expect(all.map(each => order.has(each))).toEqual(all.map(each => waits.has(each)))
      }
    }),
  )
})

test('who is not asked about is not looked at', () => {
  const looked = new Set<number>()
  const order = new WaitOrder()
  for (let name = 0; name < 1_024; name++)
    order.enter({
      get oldestWait() {
        looked.add(name)
        return name
      },
    })
  looked.clear()
  expect(order.first(({ oldestWait }) => oldestWait === 2)).toMatchObject({ oldestWait: 2 })
  expect(looked.size).toBe(3)
})
