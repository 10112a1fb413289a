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

/** A brace, a quoted element, or one without quotes. */
const tokens = /[{}]|"((?:[^"\\]|\\.)*)"|[^{},"]+/gs
/** box[] is the one built-in array whose elements hold commas and stand between semicolons. */
const tokensOfBoxes = /[{}]|[^{};]+/g

export function parseArray<T>(text: string, element: (text: string) => T, ofBoxes?: boolean): ArrayOf<T> {
  let list: ArrayOf<T> = []
  const outer = [list]
  for (const [token, quoted] of text.slice(text.indexOf('{')).matchAll(ofBoxes ? tokensOfBoxes : tokens)) {
    if (token === '{') {
      outer.push(list)
      const inner: ArrayOf<T> = []
      list.push(inner)
      list = inner
    } else if (token === '}') list = outer.pop()!
    else if (token === 'NULL') list.push(null)
    else list.push(element(quoted?.replace(/\\(.)/gs, '$1') ?? token!))
  }
  return list[0] as ArrayOf<T>
}
