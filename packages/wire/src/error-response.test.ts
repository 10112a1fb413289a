import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ErrorFields, errorResponse, NoticeResponse, parseErrorFields } from './index.ts'

const text = (value: string) => new TextEncoder().encode(value)

describe('parseErrorFields', () => {
  test('gives the fields by name', () => {
    const body = text(
      'SFEHLER\0VERROR\0C23505\0Mdoppelt\0DKey (id)=(1)\0spublic\0tt\0nt_pkey\0Fnbtinsert.c\0L666\0R_bt_check_unique\0\0',
    )
    expect(parseErrorFields(body)).toEqual({
      severity: 'ERROR',
      code: '23505',
      message: 'doppelt',
      detail: 'Key (id)=(1)',
      schema: 'public',
      table: 't',
      constraint: 't_pkey',
      file: 'nbtinsert.c',
      line: '666',
      routine: '_bt_check_unique',
    })
  })

  test('takes the severity that a server before 9.6 sends', () => {
    expect(parseErrorFields(text('SFATAL\0C57P03\0Mstarting\0\0'))).toMatchObject({
      severity: 'FATAL',
      code: '57P03',
    })
  })

  test.each([
    ['nothing', ''],
    ['no field', '\0'],
    ['no NUL', 'XYZ'],
    ['a code that is none', 'C<img>\0\0'],
    ['names that objects have', '__proto__\0constructor\0\0'],
  ])('%s gives the code XX000', (_what, body) => {
    expect(parseErrorFields(text(body)).code).toBe('XX000')
  })

  test('a field that is cut is kept as far as it goes', () => {
    expect(parseErrorFields(text('C42601\0Msyntax err'))).toMatchObject({
      code: '42601',
      message: 'syntax err',
    })
  })

  test('reads nothing beyond its end', () => {
    const bytes = text('C42601\0Mabcdef\0\0')
    expect(parseErrorFields(bytes, 0, 10).message).toBe('ab')
  })

  test('never throws, and always gives severity, a five-character code and a message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        const fields = parseErrorFields(bytes)
        expect(fields.code).toMatch(/^[0-9A-Z]{5}$/)
        expect(fields.severity).not.toBe('')
        expect(fields.message).not.toBe('')
      }),
    )
  })
})

describe('errorResponse', () => {
  const value = fc.string({ unit: 'grapheme', minLength: 1 }).filter(string => !string.includes('\0'))
  const fields = fc.record<ErrorFields, 'severity' | 'code' | 'message'>(
    {
      severity: value,
      code: fc.stringMatching(/^[0-9A-Z]{5}$/),
      message: value,
      detail: value,
      hint: value,
      position: value,
      where: value,
      dataType: value,
      routine: value,
    },
    { requiredKeys: ['severity', 'code', 'message'] },
  )

  test('what is written is read again', () => {
    fc.assert(
      fc.property(fields, sent => {
        const message = errorResponse(sent)
        expect(parseErrorFields(message, 5)).toEqual(sent)
        expect(new DataView(message.buffer).getUint32(1)).toBe(message.length - 1)
      }),
    )
  })

  test('a NUL within a value ends it and begins no other field', () => {
    const message = errorResponse({ code: '42601', message: 'a\0C00000' })
    expect(parseErrorFields(message, 5)).toEqual({ severity: 'ERROR', code: '42601', message: 'a' })
  })

  test('a NoticeResponse has the same format', () => {
    const message = errorResponse({ severity: 'NOTICE', code: '00000', message: 'hello' }, NoticeResponse)
    expect(message[0]).toBe(NoticeResponse)
  })
})
