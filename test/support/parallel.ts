/** Calls `act` for 0, 1, … `count - 1`, `width` of them at a time; the results in that order. */
export async function inParallel<T>(
  count: number,
  width: number,
  act: (n: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = []
  let next = 0
  const lane = async () => {
    while (next < count) {
      const n = next++
      results[n] = await act(n)
    }
  }
  await Promise.all(Array.from({ length: width }, lane))
  return results
}
