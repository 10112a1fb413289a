import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Breaker, type BreakerOptions, type BreakerState } from './breaker.ts'

/** No jitter with 0, half of the back-off off with 1. */
const none = 0

/** A breaker that three failures at t = 0 opened: the first trial is due at 1000. */
const opened = (options?: Partial<BreakerOptions>) => {
  const breaker = new Breaker(options)
  for (let failure = 0; failure < 3; failure++) breaker.failed(0, false, none)
  expect(breaker.state(0)).toEqual({ at: 'open', failures: 3, nextTrialAt: 1000 })
  return breaker
}

/** One whose trial succeeded at t = 1000: traffic is fully back at 6000. */
const returning = () => {
  const breaker = opened()
  expect(breaker.admit(1000, 0)).toBe('trial')
  breaker.succeeded(1000, true)
  return breaker
}

describe('closed', () => {
  test('everyone goes', () => {
    expect(new Breaker().admit(0, 0.99)).toBe('go')
  })

  test('the last of three failures in a row opens it, and only that is a change', () => {
    const breaker = new Breaker()
    expect(breaker.failed(0, false, none)).toBeUndefined()
    expect(breaker.failed(5, false, none)).toBeUndefined()
    expect(breaker.failed(9, false, none)).toEqual({ from: 'closed', to: 'open', failures: 3 })
  })

  test('a success in between starts the count anew', () => {
    const breaker = new Breaker()
    breaker.failed(0, false, none)
    breaker.failed(0, false, none)
    breaker.succeeded(0, false)
    breaker.failed(0, false, none)
    expect(breaker.failed(0, false, none)).toBeUndefined()
    expect(breaker.admit(0, 0)).toBe('go')
  })

  test('how many failures open it is an option', () => {
    expect(new Breaker({ failuresToOpen: 1 }).failed(0, false, none)?.to).toBe('open')
  })
})

describe('open', () => {
  test('nobody goes before the trial is due', () => {
    const breaker = opened()
    expect(breaker.admit(999, 0)).toBe('no')
    expect(breaker.admit(1000, 0)).toBe('trial')
  })

  test('jitter takes up to half of the wait off', () => {
    const breaker = new Breaker({ failuresToOpen: 1 })
    breaker.failed(0, false, 0.5)
    expect(breaker.state(0)).toMatchObject({ nextTrialAt: 750 })
  })

  test('calls from before the opening neither lengthen the wait nor end it', () => {
    const breaker = opened()
    expect(breaker.failed(500, false, none, -1)).toBeUndefined()
    expect(breaker.succeeded(600, false, -1)).toBeUndefined()
    expect(breaker.state(600)).toEqual({ at: 'open', failures: 3, nextTrialAt: 1000 })
  })
})

describe('half-open', () => {
  test('of many callers at once one gets the trial, the others are told no', () => {
    const breaker = opened()
    const answers = Array.from({ length: 10 }, () => breaker.admit(1000, 0))
    expect(answers).toEqual(['trial', ...Array.from({ length: 9 }, () => 'no')])
    expect(breaker.state(1000)).toEqual({ at: 'half-open', failures: 3, trialExpiresAt: 11_000 })
  })

  test('when the owner of the trial died, another gets it after the lease', () => {
    const breaker = opened()
    breaker.admit(1000, 0)
    expect(breaker.admit(10_999, 0)).toBe('no')
    expect(breaker.admit(11_000, 0)).toBe('trial')
    expect(breaker.admit(11_000, 0)).toBe('no')
  })

  test('a trial that fails doubles the wait, up to a minute', () => {
    const breaker = opened()
    const waits = []
    let now = 1000
    for (let trial = 0; trial < 8; trial++) {
      expect(breaker.admit(now, 0)).toBe('trial')
      breaker.failed(now, true, none, now)
      const state = breaker.state(now) as Extract<BreakerState, { at: 'open' }>
      waits.push(state.nextTrialAt - now)
      now = state.nextTrialAt
    }
    expect(waits).toEqual([2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
    expect(breaker.state(now)).toMatchObject({ failures: 11 })
  })

  test('a trial that succeeds lets traffic return', () => {
    const breaker = opened()
    breaker.admit(1000, 0)
    expect(breaker.succeeded(1200, true, 1000)).toEqual({ from: 'half-open', to: 'returning', failures: 0 })
    expect(breaker.state(1200)).toEqual({ at: 'returning', failures: 0, since: 1200, fullAt: 6200 })
  })

  test('a success that comes after the lease counts as long as nobody else has the trial', () => {
    const breaker = opened()
    breaker.admit(1000, 0)
    expect(breaker.succeeded(20_000, true, 1000)?.to).toBe('returning')
  })

  test('a report of the trial before does not end the trial that runs', () => {
    const breaker = opened()
    breaker.admit(1000, 0)
    breaker.admit(11_000, 0)
    expect(breaker.failed(12_000, true, none, 1000)).toBeUndefined()
    expect(breaker.succeeded(12_000, true, 1000)).toBeUndefined()
    expect(breaker.state(12_000)).toMatchObject({ at: 'half-open', trialExpiresAt: 21_000 })
    expect(breaker.succeeded(12_500, true, 11_000)?.to).toBe('returning')
  })

  test('calls from before the opening decide nothing', () => {
    const breaker = opened()
    breaker.admit(1000, 0)
    expect(breaker.succeeded(1100, false, -1)).toBeUndefined()
    expect(breaker.failed(1100, false, none, -1)).toBeUndefined()
    expect(breaker.state(1100).at).toBe('half-open')
  })
})

describe('returning', () => {
  test('a tenth goes at once, and more with the time', () => {
    const breaker = returning()
    const share = (now: number) =>
      Array.from({ length: 100 }, (_, index) => breaker.admit(now, index / 100)).filter(each => each === 'go')
        .length
    expect([1000, 2000, 3500, 5500, 6000].map(share)).toEqual([10, 20, 50, 90, 100])
  })

  test('one failure opens it again, for longer', () => {
    const breaker = returning()
    expect(breaker.failed(2000, false, none, 1500)).toEqual({ from: 'returning', to: 'open', failures: 1 })
    expect(breaker.state(2000)).toMatchObject({ nextTrialAt: 4000 })
  })

  test('a failure of a call from before the opening does not', () => {
    const breaker = returning()
    expect(breaker.failed(2000, false, none, 0)).toBeUndefined()
    expect(breaker.state(2000).at).toBe('returning')
  })

  test('when the time is over it is closed, which the next report tells, and the wait begins at a second again', () => {
    const breaker = returning()
    expect(breaker.state(6000)).toEqual({ at: 'closed', failures: 0 })
    expect(breaker.succeeded(6000, false, 5900)).toEqual({ from: 'returning', to: 'closed', failures: 0 })
    for (let failure = 0; failure < 3; failure++) breaker.failed(7000, false, none, 6500)
    expect(breaker.state(7000)).toMatchObject({ at: 'open', nextTrialAt: 8000 })
  })

  test('a failure after the time is the first of three', () => {
    const breaker = returning()
    expect(breaker.failed(9000, false, none, 8000)).toEqual({ from: 'returning', to: 'closed', failures: 1 })
    expect(breaker.failed(9000, false, none, 8000)).toBeUndefined()
    expect(breaker.failed(9000, false, none, 8000)?.to).toBe('open')
  })

  test('a call from before the opening is no first of three either', () => {
    const breaker = returning()
    breaker.succeeded(6000, false, 5900)
    for (let failure = 0; failure < 3; failure++) breaker.failed(6001, false, none, 0)
    expect(breaker.state(6001)).toEqual({ at: 'closed', failures: 0 })
  })
})

describe('whatever happens, in whatever order', () => {
  type Event = { do: 'admit' | 'succeed' | 'fail' | 'die'; after: number; random: number; who: number }
  const event: fc.Arbitrary<Event> = fc.record({
    do: fc.constantFrom('admit', 'admit', 'succeed', 'fail', 'die'),
    after: fc.oneof(fc.nat(50), fc.nat(3000), fc.nat(30_000)),
    random: fc.double({ min: 0, max: 0.999, noNaN: true }),
    who: fc.nat(),
  })

  /** Plays events; calls report in any order, as late as they like, or never. */
  const play = (events: Event[], seen?: (breaker: Breaker, now: number, liveTrials: number) => void) => {
    const breaker = new Breaker()
    let calls: { at: number; wasTrial: boolean }[] = []
    let now = 0
    for (const { do: what, after, random, who } of events) {
      now += after
      if (what === 'admit') {
        const answer = breaker.admit(now, random)
        if (answer !== 'no') calls.push({ at: now, wasTrial: answer === 'trial' })
      } else if (calls.length > 0) {
        const call = calls[who % calls.length]!
        calls = calls.filter(each => each !== call)
        if (what === 'succeed') breaker.succeeded(now, call.wasTrial, call.at)
        if (what === 'fail') breaker.failed(now, call.wasTrial, random, call.at)
      }
      seen?.(breaker, now, calls.filter(({ at, wasTrial }) => wasTrial && now < at + 10_000).length)
    }
    return { breaker, now }
  }

  test('at most one trial is alive', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), events => {
        play(events, (_breaker, _now, liveTrials) => expect(liveTrials).toBeLessThanOrEqual(1))
      }),
      { numRuns: 500 },
    )
  })

  test('it is never closed without a successful trial after it opened', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), events => {
        let last: BreakerState['at'] = 'closed'
        play(events, (breaker, now) => {
          const { at } = breaker.state(now)
          if (at === 'closed') expect(['closed', 'returning']).toContain(last)
          last = at
        })
      }),
    )
  })

  test('time and one successful trial lead to closed, from everywhere', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), events => {
        const { breaker, now } = play(events)
        let later = now + 70_000
        const { at } = breaker.state(later)
        if (at === 'open' || at === 'half-open') {
          expect(breaker.admit(later, 0.999)).toBe('trial')
          breaker.succeeded(later, true, later)
          later += 5000
        }
        expect(breaker.state(later).at).toBe('closed')
        expect(breaker.admit(later, 0.999)).toBe('go')
      }),
      { numRuns: 500 },
    )
  })

  test('the wait for a trial is never longer than a minute', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), events => {
        play(events, (breaker, now) => {
          const state = breaker.state(now)
          if (state.at === 'open') expect(state.nextTrialAt - now).toBeLessThanOrEqual(60_000)
        })
      }),
    )
  })
})
