/**
 * PostgreSQL's text form of arrays: `{1,NULL,"a \"quoted\" one",{nested}}`.
 *
 * Bounds in front (`[0:1]={…}`) are read over: JavaScript arrays begin at 0.
 * Source: PostgreSQL documentation, "Array Input and Output Syntax".
 */

export type ArrayOf<T> = (T | null | ArrayOf<T>)[]

/** @param element the text of one element that is neither array nor null; null gives NULL */
export function encodeArray(array: readonly unknown[], element: (value: unknown) => string | null): string {
  const parts = Array.from(array, each => {
    if (Array.isArray(each)) return encodeArray(each, element)
    const text = element(each)
    return text === null ? 'NULL' : `"${text.replace(/["\\]/g, '\\$&')}"`
  })
  return `{${parts.join()}}`
}

/** @param delimiter what stands between elements: a comma, but a semicolon in arrays of `box` */
export function parseArray<T>(text: string, element: (text: string) => T, delimiter = ','): ArrayOf<T> {
  let at = text.indexOf('{') + 1

  const unquote = () => {
    let value = ''
    let from = at
    for (; text[at] !== '"' && at < text.length; at++) {
      if (text[at] === '\\') {
        value += text.slice(from, at++)
        from = at
      }
    }
    return value + text.slice(from, at++)
  }

  const list = (): ArrayOf<T> => {
    const values: ArrayOf<T> = []
    while (at < text.length) {
      const char = text[at]
      if (char === '}') {
        at++
        break
      }
      if (char === '{') {
        at++
        values.push(list())
      } else if (char === '"') {
        at++
        values.push(element(unquote()))
      } else if (char === delimiter) at++
      else {
        const from = at
        while (at < text.length && text[at] !== delimiter && text[at] !== '}') at++
        const word = text.slice(from, at)
        values.push(word === 'NULL' ? null : element(word))
      }
    }
    return values
  }
  return list()
}
