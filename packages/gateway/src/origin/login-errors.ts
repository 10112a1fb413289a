/** Why a login at an origin failed where the origin itself does not say: SQLSTATE, cause and cure. */
import { AuthenticationRequest, type ErrorFields, type ProtocolError } from '@sluice/wire'
import type { ScramError } from '@sluice/wire/authentication'

/** Ends a login from within. */
export class LoginFailed extends Error {
  readonly fields: ErrorFields

  constructor(fields: ErrorFields) {
    super(fields.message)
    this.fields = fields
  }
}

const ours = (code: string, message: string, hint?: string): ErrorFields => ({
  severity: 'FATAL',
  code,
  message,
  ...(hint === undefined ? {} : { hint }),
  routine: 'sluice',
})

export const closedEarly = () =>
  ours(
    '08006',
    'the origin closed the connection before the login was complete',
    "Its log says why. So ends also a port that is not PostgreSQL's, and a proxy that knows no such database.",
  )

export const offProtocol = (error: ProtocolError) =>
  ours(
    error.code,
    `the origin does not keep to PostgreSQL's protocol: ${error.message}`,
    "Is the address right, and the port PostgreSQL's?",
  )

export const scramFailed = (error: ScramError) =>
  ours(error.code, `the login at the origin failed: ${error.message}`)

/** A name or a value that no StartupMessage can hold. */
export const impossibleStartup = (error: RangeError) => ours('22023', error.message)

export const noPassword = (user: string) =>
  ours(
    '28000',
    `the origin asks for a password of user "${user}", and none is known`,
    "Put it into the origin's URL.",
  )

export const onlyKeys = (user: string) =>
  ours(
    '28000',
    `the origin asks for the password of user "${user}" itself, and only SCRAM keys are known of it`,
    "Let the origin's pg_hba.conf name scram-sha-256 for connections from here, or configure the password.",
  )

const methods: Readonly<Record<number, string>> = {
  [AuthenticationRequest.KerberosV5]: 'Kerberos V5',
  [AuthenticationRequest.GSS]: 'GSSAPI',
  [AuthenticationRequest.SSPI]: 'SSPI',
}

export const unknownMethod = (code: number) =>
  ours(
    '0A000',
    `the origin asks for an authentication that Sluice does not speak: ${methods[code] ?? `number ${code}`}`,
    "Let the origin's pg_hba.conf name scram-sha-256 for connections from here.",
  )
