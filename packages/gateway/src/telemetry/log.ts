/**
 * What the gateway says while it runs: one line per event, for people first, and logfmt behind.
 *
 *     2026-11-25T07:40:00.000Z info the gateway listens address=127.0.0.1:6432 runtime=node
 *
 * What comes from outside (names, messages of errors) is a value, never part of the event's own words, and can neither
 * begin a line nor look like another field. No secret is ever handed in.
 */
export const logLevels = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof logLevels)[number]

export type Fields = Readonly<Record<string, string | number | boolean | undefined>>

export class Log {
  /** What is more talkative than this is left out. */
  level: LogLevel
  readonly #write: (line: string) => void
  readonly #now: () => Date

  constructor(level: LogLevel, write: (line: string) => void, now: () => Date = () => new Date()) {
    this.level = level
    this.#write = write
    this.#now = now
  }

  /** Something that should work does not, and it needs a person. */
  error(event: string, fields?: Fields): void {
    this.#say('error', event, fields)
  }

  /** It works, and a person should know of it. */
  warn(event: string, fields?: Fields): void {
    this.#say('warn', event, fields)
  }

  /** Start, stop, reload: a few lines a day. */
  info(event: string, fields?: Fields): void {
    this.#say('info', event, fields)
  }

  /** For who looks for a fault. */
  debug(event: string, fields?: Fields): void {
    this.#say('debug', event, fields)
  }

  #say(level: LogLevel, event: string, fields: Fields = {}): void {
    if (logLevels.indexOf(level) > logLevels.indexOf(this.level)) return
    const told = Object.entries(fields).flatMap(([name, value]) =>
      value === undefined ? [] : [` ${name}=${plain(String(value))}`],
    )
    this.#write(`${this.#now().toISOString()} ${level} ${event}${told.join('')}\n`)
  }
}

/** As it is if it can't be misread, else as a JSON string, which escapes line ends and other control characters. */
const plain = (value: string) =>
  /^[\w.:/@+,[\]-]+$/.test(value)
    ? value
    : JSON.stringify(value).replace(
        /[\u007f-\u009f\u2028\u2029]/g,
        character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
      )
