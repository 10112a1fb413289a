import { bind, describe as describes, execute, parse, sync } from '@sluice/wire'
import { expect, test } from 'vitest'
import { runsNext } from './runs-next.ts'

const first = parse('', 'set local role a')

test.each([
  ['an Execute', [execute()], '', true],
  ['a Describe and an Execute', [describes('P', ''), execute()], '', true],
  ['an Execute of its portal', [execute('p')], 'p', true],
  ['an Execute of another portal', [execute('q')], 'p', false],
  ['another Bind', [bind('', 's'), execute()], '', false],
  ['a Sync', [sync(), execute()], '', false],
  ['nothing', [], '', false],
])('a Bind with %s behind it', (_, behind, portal, expected) => {
  const bytes = Buffer.concat([first, bind(portal, '', 'x'), ...behind])
  expect(runsNext(bytes, first.length, bytes.length)).toBe(expected)
})

test('is not known to be run if what is behind it is not there yet', () => {
  const bytes = Buffer.concat([bind('', ''), execute()])
  for (let end = bytes.length - 1; end > 0; end--) expect(runsNext(bytes, 0, end)).toBe(false)
})
