/** The command `sluice`: one word says which command, the rest is its own. */
import { runMonitor } from './monitor.ts'

const commands: Record<string, { does: string; run: (words: string[]) => Promise<number> }> = {
  monitor: {
    does: 'whether the path to the database is healthy, how fast it is, and what to do',
    run: runMonitor,
  },
}

const usage = `sluice <command> [options]

${Object.entries(commands)
  .map(([name, { does }]) => `  ${name.padEnd(10)}${does}`)
  .join('\n')}

  sluice <command> --help tells its options.`

const [name = '', ...words] = process.argv.slice(2)
const command = Object.hasOwn(commands, name) ? commands[name] : undefined
if (command) {
  process.exitCode = await command.run(words)
} else if (name === '--help' || name === '-h' || name === 'help') {
  console.log(usage)
} else {
  console.error(`${name ? `sluice: there is no command "${name}"\n\n` : ''}${usage}`)
  process.exitCode = 2
}
