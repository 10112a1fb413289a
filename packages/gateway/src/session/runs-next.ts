/** Whether what a Bind binds is run before anything else is: what it sets holds for what is bound behind it. */
import { Describe, Execute } from '@sluice/wire'
import { lengthAt } from './client.ts'
import { nameAt } from './name-at.ts'

/**
 * @param at of the Bind in `bytes`
 * @param end of what is there
 */
export function runsNext(bytes: Uint8Array, at: number, end: number): boolean {
  const portal = nameAt(bytes, at + 5, bytes.indexOf(0, at + 5))
  for (let next = at + lengthAt(bytes, at); next + 5 <= end; ) {
    const nextEnd = next + lengthAt(bytes, next)
    if (nextEnd > end) return false
    if (bytes[next] !== Describe)
      return bytes[next] === Execute && nameAt(bytes, next + 5, bytes.indexOf(0, next + 5)) === portal
    next = nextEnd
  }
  return false
}
