import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../../test/support/memory-transport.ts'
import { LoginRefused } from '../origin/pool.ts'
import { Invalidation, type InvalidationOptions } from './invalidation.ts'

/** An invalidation whose origin is never reached: how often it tries, and what it says. */
function unreachable(
  options: Partial<InvalidationOptions> = {},
  error: Error = new Error('no route to host'),
) {
  const clock = new VirtualClock()
  const began = clock.now()
  const attempts: number[] = []
  const said: string[] = []
  const invalidation = new Invalidation({
    clock,
    // No jitter: the pause as it is.
    random: () => 1,
    ...{ publication: 'sluice', mayChange: false },
    ...{ heartbeatMs: 1_000, silenceMs: 5_000, refreshMs: 1_000, idleMs: 300_000 },
    reach: {
      control: async () => {
        attempts.push(clock.now() - began)
        throw error
      },
      stream: async () => {},
    },
    known: { keyOf: () => null, ancestorsOf: () => [] },
    sink: { onChanges() {}, onSchema() {}, onPassed() {}, onCovered() {}, onEpoch() {} },
    onChange: ({ phase }) => said.push(phase.at === 'waiting' ? phase.cause : phase.at),
    ...options,
  })
  /** Lets time go on, and what was awaited come. */
  const pass = async (ms: number) => {
    await settled()
    for (const end = clock.now() + ms; clock.now() < end; ) {
      clock.advance(Math.min(250, end - clock.now()))
      await settled()
    }
  }
  return { clock, attempts, said, invalidation, pass }
}

/** Promises that have their answer have told it. */
const settled = () => new Promise<void>(resolve => setImmediate(resolve))

describe('Invalidation', () => {
  test('rests until there is a client', async () => {
    const { invalidation, attempts, pass } = unreachable()
    await pass(10_000)
    expect([invalidation.status.phase, attempts]).toEqual([{ at: 'resting' }, []])
    invalidation.clients = 1
    expect(invalidation.status.phase).toMatchObject({ at: 'opening', step: 'connecting' })
  })

  test('tries again, later and later up to half a minute, and says why', async () => {
    const { invalidation, attempts, said, pass } = unreachable()
    invalidation.clients = 1
    await pass(100_000)
    const pauses = attempts.slice(1).map((at, index) => at - attempts[index]!)
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
    expect(new Set(said)).toEqual(new Set(['no route to host']))
    expect(invalidation.status).toMatchObject({
      phase: { at: 'waiting', cause: 'no route to host', possible: true },
      ...{ everRan: false, losses: 0, uncoveredMs: 100_000 },
    })
  })

  test('where somebody has to do something first, it tries once a minute', async () => {
    const refused = new LoginRefused({ severity: 'FATAL', code: '28000', message: 'no pg_hba.conf entry' })
    const { invalidation, attempts, pass } = unreachable({}, refused)
    invalidation.clients = 1
    await pass(125_000)
    expect(attempts).toEqual([0, 60_000, 120_000])
    expect(invalidation.status.phase).toMatchObject({
      ...{ at: 'waiting', cause: 'no pg_hba.conf entry (28000)', possible: false },
      hint: expect.stringContaining('pg_hba.conf'),
    })
  })

  test('gateways that lost the same origin do not try at the same moment', async () => {
    const attempts = await Promise.all(
      [0, 0.9].map(async random => {
        const { invalidation, attempts, pass } = unreachable({ random: () => random })
        invalidation.clients = 1
        await pass(1_000)
        return attempts[1]
      }),
    )
    expect(attempts).toEqual([250, 475])
  })

  test('without a client it does not try; nor is that time without cover', async () => {
    const { invalidation, attempts, pass } = unreachable()
    invalidation.clients = 1
    await pass(100)
    invalidation.clients = 0
    await pass(100_000)
    expect([attempts, invalidation.status.uncoveredMs]).toEqual([[0], 100])
    expect(invalidation.status.phase).toEqual({ at: 'resting' })
    invalidation.clients = 2
    expect(attempts).toHaveLength(2)
  })

  test('clients that come and go do not shorten the pause', async () => {
    const refused = new LoginRefused({ severity: 'FATAL', code: '42501', message: 'no replication role' })
    const { invalidation, attempts, pass } = unreachable({}, refused)
    for (let i = 0; i < 130; i++) {
      // Who stays for no longer than the attempt takes.
      invalidation.clients = 1
      invalidation.clients = 0
      await pass(1_000)
    }
    expect(attempts).toEqual([0, 60_000, 120_000])
  })

  test('with stream_idle = 0 it tries without a client, too', async () => {
    const { invalidation, attempts, pass } = unreachable({ idleMs: 0 })
    invalidation.clients = 1
    await pass(250)
    invalidation.clients = 0
    await pass(2_000)
    expect(attempts).toEqual([0, 500, 1_500])
  })

  test('closed, it does nothing more, and leaves no timer', async () => {
    const { invalidation, attempts, clock, pass } = unreachable()
    invalidation.clients = 1
    await pass(100)
    invalidation.close()
    expect(clock.timers).toBe(0)
    invalidation.clients = 0
    invalidation.clients = 1
    await pass(100_000)
    expect(attempts).toEqual([0])
  })
})
