/** `npm run bench -- NAME`: runs one benchmark and prints its table. */
const benches: Record<string, () => Promise<void>> = {
  edge: async () => (await import('./edge/bench.ts')).benchEdge(),
}

const [name = ''] = process.argv.slice(2)
const bench = benches[name]
if (bench === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(benches).join(' | ')}`)
  process.exit(2)
}
await bench()
