/** The command `sluice`: one word says which command, the rest is its own. */
import about from '../../package.json' with { type: 'json' }

/** Loaded when it is called: no command pays for what another stands on. */
const commands: Record<string, { does: string; load: () => Promise<(words: string[]) => Promise<number>> }> =
  {
    dev: {
      does: 'PostgreSQL, the gateway and a Worker on this machine, as npm start',
      load: async () => (await import('./dev.ts')).runDev,
    },
    serve: {
      does: 'the gateway between clients and their PostgreSQL',
      load: async () => (await import('./serve.ts')).runServe,
    },
    check: {
      does: 'reads the configuration, asks each origin, says what is wrong and how to mend it',
      load: async () => (await import('./check.ts')).runCheck,
    },
    monitor: {
      does: 'whether the path to the database is healthy, how fast it is, and what to do',
      load: async () => (await import('./monitor.ts')).runMonitor,
    },
  }

const usage = `sluice <command> [options]

${Object.entries(commands)
  .map(([name, { does }]) => `  ${name.padEnd(10)}${does}`)
  .join('\n')}

  sluice <command> --help tells its options; sluice --version which one this is.`

const [name = '', ...words] = process.argv.slice(2)
const command = Object.hasOwn(commands, name) ? commands[name] : undefined
if (command) {
  const run = await command.load()
  process.exitCode = await run(words)
} else if (name === '--help' || name === '-h' || name === 'help') {
  console.log(usage)
} else if (name === '--version') {
  console.log(`sluice ${about.version}`)
} else {
  console.error(`${name ? `sluice: there is no command "${name}"\n\n` : ''}${usage}`)
  process.exitCode = 2
}
