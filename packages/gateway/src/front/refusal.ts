/**
 * Why a client does not come in, as it is told before the connection closes. Where PostgreSQL has words for it they are
 * these, so that drivers and people who know them are not misled.
 */
import { type ErrorFields, protocol30, protocol32 } from '@sluice/wire'

/** Ends a login from within. */
export class ClientRefused extends Error {
  readonly fields: ErrorFields

  constructor(fields: ErrorFields) {
    super(fields.message)
    this.fields = fields
  }
}

export const fatal = (
  code: string,
  message: string,
  more: { detail?: string | undefined; hint?: string } = {},
): ErrorFields => ({
  severity: 'FATAL',
  code,
  message,
  ...(more.detail === undefined ? {} : { detail: more.detail }),
  ...(more.hint === undefined ? {} : { hint: more.hint }),
  routine: 'sluice',
})

const protocolViolation = '08P01'
const featureNotSupported = '0A000'
const invalidParameterValue = '22023'
const invalidAuthorization = '28000'
const invalidPassword = '28P01'
const syntaxError = '42601'

export const offProtocol = (message: string) => fatal(protocolViolation, message)

/** @param request `SSL` or `GSSAPI encryption` */
export const stuffedBytes = (request: string) =>
  fatal(protocolViolation, `received unencrypted data after ${request} request`, {
    detail:
      'This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.',
  })

export const tooMuchAhead = (most: number) =>
  fatal(protocolViolation, `more than ${most} bytes were sent before the login was complete`)

const numbered = (version: number) => `${version >>> 16}.${version & 0xffff}`

export const unsupportedProtocol = (version: number) =>
  fatal(
    featureNotSupported,
    `unsupported frontend protocol ${numbered(version)}: server supports ${numbered(protocol30)} to ${numbered(protocol32)}`,
  )

export const noUser = () => fatal(invalidAuthorization, 'no PostgreSQL user name specified in startup packet')

export const replicationValue = (value: string) =>
  fatal(invalidParameterValue, `invalid value for parameter "replication": "${value}"`, {
    hint: 'Valid values are: "false", 0, "true", 1, "database".',
  })

export const replication = () =>
  fatal(featureNotSupported, 'replication connections do not go through Sluice', {
    hint: "Connect to the database itself: with its direct URL, which is the origin in Sluice's configuration.",
  })

export const optionWithoutValue = (option: string) => fatal(syntaxError, `${option} requires a value`)

export const unknownSwitch = (argument: string) =>
  fatal(syntaxError, `invalid command-line argument for server process: ${argument}`, {
    hint: 'Of the options of a connection, Sluice takes "-c name=value" and "--name=value".',
  })

export const wrongPassword = (user: string) =>
  fatal(invalidPassword, `password authentication failed for user "${user}"`)

export const emptyPassword = () => fatal(invalidPassword, 'empty password returned by client')

export const passwordSize = () => fatal(protocolViolation, 'invalid password packet size')

/** @param what `password` or `SASL` */
export const noAnswer = (what: string, type: number) =>
  fatal(protocolViolation, `expected ${what} response, got message type ${type}`)
