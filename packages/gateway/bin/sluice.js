#!/usr/bin/env node
/**
 * The command `sluice`, started by whatever Node runs this file.
 *
 * The command itself is TypeScript, which Node runs as it is from 22.18 on. An older one (the clone installs on 20.16)
 * hands over to the Node that the repository installs as an npm package, and only passes signals and the exit code on.
 */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const entry = new URL('../src/cli/sluice.ts', import.meta.url)

if (process.features.typescript) {
  await import(entry.href)
} else {
  const node = installedNode()
  const child = spawn(node, [fileURLToPath(entry), ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal's Ctrl-C reaches the child by itself; it takes the second one, from here, for the same.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.once('error', error => {
    giveUp(`${node} can't be run (${error.message})`)
  })
  child.once('exit', (code, signal) => {
    process.exitCode = code ?? (signal ? 1 : 0)
  })
}

/** @returns {string} */
function installedNode() {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('node/package.json'))
    return join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  } catch {
    return giveUp(`Node ${process.version} can't run TypeScript, and the package "node" is not installed`)
  }
}

/** @param {string} why @returns {never} */
function giveUp(why) {
  console.error(`sluice: ${why}: run npm ci in the clone, or use Node 24`)
  process.exit(2)
}
