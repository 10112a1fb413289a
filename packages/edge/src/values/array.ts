/**
 * PostgreSQL's text form of arrays: `{1,NULL,"a \"quoted\" one",{nested}}`.
 *
 * Bounds in front (`[0:1]={…}`) are read over: JavaScript arrays begin at 0.
 * Source: PostgreSQL documentation, "Array Input and Output Syntax".
 */

export type ArrayOf<T> = (T | null | ArrayOf<T>)[]

/** @param element the text of one element that is no array, null for NULL */
export function encodeArray(array: readonly unknown[], element: (value: unknown) => string | null): string {
  const parts = Array.from(array, each => {
    if (Array.isArray(each)) return encodeArray(each, element)
    const text = element(each)
    return text === null ? 'NULL' : `"${text.replace(/["\\]/g, '\\$&')}"`
  })
  return `{${parts.join()}}`
}

/**
 * Reads on by hand: a regular expression for quoted elements overflows the stack of V8 at a few megabytes.
 *
 * @param delimiter what stands between elements: a comma, but a semicolon in box[]
 */
export function parseArray<T>(text: string, element: (text: string) => T, delimiter = ','): ArrayOf<T> {
  let at = text.indexOf('{') + 1
  /** What stands between here and the first of the ends, escapes skipped. */
  const until = (...ends: string[]) => {
    const from = at
    while (at < text.length && !ends.includes(text[at]!)) at += text[at] === '\\' ? 2 : 1
    return text.slice(from, at)
  }
  const list = (): ArrayOf<T> => {
    const values: ArrayOf<T> = []
    while (at < text.length) {
      const char = text[at++]
      if (char === '}') break
      if (char === '{') values.push(list())
      else if (char === '"') {
        values.push(element(until('"').replace(/\\(.)/gs, '$1')))
        at++
      } else if (char !== delimiter) {
        const word = char + until(delimiter, '}')
        values.push(word === 'NULL' ? null : element(word))
      }
    }
    return values
  }
  return list()
}
