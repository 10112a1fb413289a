/** The name that was probably meant. */

/** @returns undefined if none is near: more than a third of the letters would have to change */
export function nearest(word: string, names: readonly string[]): string | undefined {
  let found: string | undefined
  let least = Math.floor(Math.max(word.length, 3) / 3) + 1
  for (const name of names) {
    const changes = distance(word.toLowerCase(), name.toLowerCase())
    if (changes < least) {
      least = changes
      found = name
    }
  }
  return found
}

/** Levenshtein's: letters put in, taken out or changed. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at)
  for (const [done, letter] of [...from].entries()) {
    const next = [done + 1]
    for (let at = 1; at <= to.length; at++)
      next.push(Math.min(row[at]! + 1, next[at - 1]! + 1, row[at - 1]! + (letter === to[at - 1] ? 0 : 1)))
    row = next
  }
  return row[to.length]!
}
