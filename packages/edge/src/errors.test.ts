import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { DatabaseError, Reason } from './errors.ts'
import * as errors from './errors.ts'
import { settingsOf } from './options.ts'
import { Route } from './route.ts'
import { parseUrl } from './url.ts'

const target = parseUrl('postgres://app:secret@db.example.com/app')
const answer = (code: string, message: string) => ({ severity: 'ERROR', code, message })
const gone = new Error('read ECONNRESET')

/** What docs/errors.md quotes of each reason. A reason that is missing here does not compile. */
const quoted: Record<Reason, DatabaseError[]> = {
  sql: [
    answer('23505', 'duplicate key value violates unique constraint "follows_pkey"'),
    answer('40001', 'could not serialize access due to concurrent update'),
  ].map(error => errors.sqlError(error, 'direct', target, 'maybe')),
  'no-route': [errors.noRoute()],
  'bad-url': [urlError('postgres://app:secret@db:port/app')],
  'nodejs-compat': [errors.missingNodejsCompat('node:events')],
  'global-scope': [errors.globalScope(new Error('Disallowed operation called within global scope.'))],
  'driver-missing': [errors.driverMissing('pg', new Error('No such module "pg".'))],
  'connect-failed': [
    errors.connectFailed(new Error('connect ECONNREFUSED 192.0.2.7:5432'), 'direct', target),
  ],
  'connect-deadline': [errors.connectDeadline('hyperdrive', target, 5_000)],
  refused: [
    answer('28P01', 'password authentication failed for user "app"'),
    answer('53300', 'sorry, too many clients already'),
  ].map(error => errors.refused(error, 'direct', target)),
  'pool-exhausted': [errors.poolExhausted('direct', 20, 5_000)],
  'connection-lost': [
    errors.connectionLost(gone, 'hyperdrive', target, 'maybe'),
    errors.connectionLost(gone, 'direct', target, 'no'),
  ],
  'query-deadline': [
    errors.queryDeadline('direct', 30_000, 'maybe'),
    errors.queryDeadline(undefined, 30_000, 'no'),
    errors.nestedStillOpen('direct', 30_000),
  ],
  'query-aborted': [errors.queryAborted('direct', gone, 'maybe'), errors.queryAborted(undefined, gone, 'no')],
  'commit-unknown': [
    errors.commitUnknown(gone, 'direct', target, 'insert into investments (pitch_id) values ($1)'),
  ],
  'transaction-text': [errors.transactionText('begin')],
  'session-text': [errors.sessionText('set')],
  'copy-text': [errors.copyText()],
  'transaction-failed': [errors.transactionFailed('direct')],
  'transaction-ended': [errors.transactionEnded('direct')],
  'handle-ended': [errors.handleEnded('the transaction')],
  'run-sealed': [errors.runSealed()],
  'bad-parameter': [errors.badParameter('parameter $1 is undefined; pass null for SQL NULL')],
  'bad-answer': [errors.badAnswer('the driver could not read the answer: unexpected message', 'direct')],
}

/** As a user gets it: a route names its URL. */
function urlError(url: string): DatabaseError {
  try {
    new Route('direct', () => url, settingsOf({})).target()
  } catch (error) {
    return error as DatabaseError
  }
  throw new Error(`${url} is a URL after all`)
}

const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
const entries = new Map(
  page.split(/^(?=##)/m).flatMap(section => {
    const [, reason] = /^### `(.+)`$/m.exec(section) ?? []
    return reason ? [[reason, section]] : []
  }),
)

test('every reason has an entry in docs/errors.md, and no entry lacks its reason', () => {
  expect([...entries.keys()].sort()).toEqual(Object.keys(quoted).sort())
})

describe.each(Object.entries(quoted))('the entry of %s', (reason, examples) => {
  const entry = entries.get(reason) ?? ''
  // The page shows a quote of each form, with what it means behind.
  const quotes = [...entry.matchAll(/^> (.+)\n\n(.+)$/gm)].map(([, message, facts]) => ({ message, facts }))

  test('quotes the message, code, sent and retryable that a user gets', () => {
    expect(quotes).toEqual(
      examples.map(({ message, code, sent, retryable }) => ({
        message,
        facts: `code \`${code}\`, sent \`${sent}\`, ${retryable ? 'retryable' : 'not retryable'}`,
      })),
    )
    expect(examples.map(example => example.reason)).toEqual(examples.map(() => reason))
  })

  test('names cause and remedy', () => {
    expect(entry).toMatch(/^\*\*Cause\.\*\* .+/m)
    expect(entry).toMatch(/^\*\*Remedy\.\*\* .+/m)
  })
})

test('a server that echoes the password in any field of its answer does not bring it into the error', () => {
  const said = (field: string) => `${field} says secret and postgres://app:secret@db`
  const fields = ['message', 'detail', 'hint', 'where', 'schema', 'table', 'column', 'constraint', 'routine']
  const echo = {
    severity: 'FATAL',
    code: '28P01',
    ...Object.fromEntries(fields.map(field => [field, said(field)])),
  }
  for (const error of [
    errors.sqlError(echo, 'direct', target, 'maybe'),
    errors.refused(echo, 'direct', target),
  ]) {
    expect(JSON.stringify(error) + error.stack).not.toContain('secret')
  }
})
