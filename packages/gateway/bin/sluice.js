#!/usr/bin/env node
/**
 * The command `sluice`, started by whatever Node runs this file.
 *
 * The gateway runs on Bun where the package `bun` is installed, which takes less CPU for it; SLUICE_RUNTIME=node says
 * otherwise. The rest runs on Node: here if it can run TypeScript, which Node does from 22.18 on, else on the Node that
 * the repository installs as an npm package. Whoever hands over only passes signals and the exit code on.
 */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const entry = new URL('../src/cli/sluice.ts', import.meta.url)
const wants = process.env.SLUICE_RUNTIME ?? 'bun'
const bun = process.argv[2] === 'serve' && wants === 'bun' ? installed('bun', 'bin/bun.exe') : null

if (wants !== 'bun' && wants !== 'node') giveUp(`SLUICE_RUNTIME is "${wants}": it may be bun or node`)
if (bun !== null) handOver(bun)
else if (process.features.typescript) await import(entry.href)
else
  handOver(
    installed('node', process.platform === 'win32' ? 'bin/node.exe' : 'bin/node') ??
      giveUp(
        `Node ${process.version} can't run TypeScript, and the package "node" is not installed: run npm ci in the clone, or use Node 24`,
      ),
  )

/** @param {string} runtime */
function handOver(runtime) {
  const child = spawn(runtime, [fileURLToPath(entry), ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal's Ctrl-C reaches the child by itself; it takes the second one, from here, for the same.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.once('error', error => giveUp(`${runtime} can't be run (${error.message})`))
  child.once('exit', (code, signal) => {
    process.exitCode = code ?? (signal ? 1 : 0)
  })
}

/**
 * @param {string} name of an npm package
 * @param {string} file in it
 */
function installed(name, file) {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), file)
  } catch {
    return null
  }
}

/** @param {string} why @returns {never} */
function giveUp(why) {
  console.error(`sluice: ${why}`)
  process.exit(2)
}
