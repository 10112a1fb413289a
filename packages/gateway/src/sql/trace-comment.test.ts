import { describe, expect, test } from 'vitest'
import { withoutTrace } from './trace-comment.ts'

function question(text: string): string {
  const bytes = Buffer.from(`Q${text}\0`)
  return bytes.toString('utf8', 1, withoutTrace(bytes, 1, bytes.length - 1))
}

const trace = "/*traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01',route='%2Ffilms'*/"

describe('is left out of the question', () => {
  test.each([
    [`select 1 ${trace}`, 'select 1'],
    [`select 1${trace} ;\n`, 'select 1'],
    [`select 1 /* sluice: max_age=5 */ ${trace}`, 'select 1 /* sluice: max_age=5 */'],
    ["select '/*' /* db_driver='pg' , action='it\\'s' */", "select '/*'"],
    [`select $$ /* $$, e'\\'/*' ${trace}`, `select $$ /* $$, e'\\'/*'`],
    [`select "/*" -- why\n, 2 ${trace}`, 'select "/*" -- why\n, 2'],
  ])('%s', (text, asked) => {
    expect(question(text)).toBe(asked)
  })
})

describe('nothing is left out', () => {
  test.each([
    'select 1',
    '',
    '*/',
    '/*/',
    'select 1 /* shard: 5 */',
    "select 1 /* says='so' and more */",
    `select '1 ${trace}`,
    // In a string, and in a comment to the end of the line.
    `select 'a/*x' -- y='z'*/`,
    `select 1 -- ${trace}`,
    `select 'x\\'' ${trace}`,
    `select 1 /* a ${trace} */`,
    `select 1 /*a='${'x'.repeat(3_000)}'*/`,
  ])('%s', text => {
    expect(question(text)).toBe(text)
  })
})
