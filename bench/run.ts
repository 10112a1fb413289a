/** `npm run bench -- NAME [options]`: runs one benchmark and prints its table. */
const benches: Record<string, (words: readonly string[]) => Promise<void>> = {
  cache: async words => (await import('./cache/bench.ts')).benchCache(words),
  edge: async () => (await import('./edge/bench.ts')).benchEdge(),
  pool: async words => (await import('./pool/bench.ts')).benchPool(words),
}

const [name = '', ...words] = process.argv.slice(2)
const bench = benches[name]
if (bench === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(benches).join(' | ')}`)
  process.exit(2)
}
await bench(words)
