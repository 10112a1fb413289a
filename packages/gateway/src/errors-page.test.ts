import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as front from './front/refusal.ts'
import * as refusal from './origin/refusal.ts'
import * as errors from './session/errors.ts'

const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
/** Codes of each row of the gateway's tables, and the beginning of the message, `…` for what differs. */
const rows = [
  ...page.slice(page.indexOf('# What the gateway says')).matchAll(/^\| (`.+?) \| (.+?) \| /gm),
].map(([, codes, beginning]) => ({ codes: codes!, beginning: beginning! }))

const said = {
  ...{ waitedTooLong: refusal.waitedTooLong('u@d', 20, 1_000), queueFull: refusal.queueFull('u@d', 20, 100) },
  ...{ originDown: refusal.originDown('u@d', 'refused', 1_000), shuttingDown: refusal.shuttingDown() },
  ...{ canceled: errors.canceled(), queryTimedOut: errors.queryTimedOut(60_000) },
  ...{ idleInTransaction: errors.idleInTransaction(1_000), serverLost: errors.serverLost('reset') },
  ...{ planChanged: errors.planChanged(), tooManyStatements: errors.tooManyStatements(10_000) },
  ...{ tooLong: errors.tooLong(200_000_000) },
  wrongPassword: front.wrongPassword('al'),
  noUser: front.noUser(),
  replication: front.replication(),
  unsupportedProtocol: front.unsupportedProtocol(0x0002_0000),
  stuffedBytes: front.stuffedBytes('SSL'),
}

test.each(Object.entries(said))(
  'docs/errors.md has %s, with its code and how it begins',
  (_, { code, message, routine }) => {
    const found = rows.filter(({ codes, beginning }) => {
      const pattern = beginning
        .split('…')
        .map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
        .join('.+')
      return codes.includes(`\`${code}\``) && new RegExp(`^${pattern}`).test(message)
    })
    expect(found).toHaveLength(1)
    expect(routine).toBe('sluice')
  },
)
