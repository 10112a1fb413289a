import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Lock, takeLock } from './lock.ts'
import { processId } from './processes.ts'

let folder: string
let file: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-lock-'))
  file = join(folder, 'lock')
})
afterEach(() => rm(folder, { recursive: true }))

/** Runs a program that takes the lock, spawns a child that outlives it, and waits. */
const holder = async () => {
  const program = `
    const { takeLock } = await import(${JSON.stringify(import.meta.resolve('./lock.ts'))})
    const lock = await takeLock(${JSON.stringify(file)})
    const { spawn } = await import('node:child_process')
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore', detached: true })
    await lock.note(child.pid)
    console.log(child.pid)
    setInterval(() => {}, 1000)`
  const process_ = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(process_.stdout.setEncoding('utf8'), 'data')
  return {
    pid: process_.pid!,
    child: Number(line),
    async killed() {
      process_.kill('SIGKILL')
      await once(process_, 'exit')
    },
  }
}

test('while one has it, the next hears who', async () => {
  const first = (await takeLock(file)) as Lock
  expect(await takeLock(file)).toEqual({ heldBy: process.pid })
  await first.release()
  expect(await takeLock(file)).toMatchObject({ left: [] })
})

test('the lock of a killed holder is free, and names the process that outlived it', async () => {
  const dead = await holder()
  const survivor = processId(dead.child)!
  try {
    expect(await takeLock(file)).toEqual({ heldBy: dead.pid })
    await dead.killed()
    expect(await takeLock(file)).toMatchObject({ left: [survivor] })
  } finally {
    process.kill(survivor.pid)
  }
})

test('a process id that has been given to another process since is not taken for the holder', async () => {
  const reborn = { ...processId(process.pid)!, born: 'before the last restart' }
  await writeFile(file, JSON.stringify({ ...reborn, spawned: [reborn] }))
  expect(await takeLock(file)).toMatchObject({ left: [] })
})

test('a lock file that is cut off is free', async () => {
  await writeFile(file, '{"pid":')
  expect(await takeLock(file)).toMatchObject({ left: [] })
})

test('of many who find the same stale lock one gets it', async () => {
  await writeFile(file, JSON.stringify({ pid: 1, born: 'never', spawned: [] }))
  // One process can't race itself under one id, so others do.
  const program = `
    const { takeLock } = await import(${JSON.stringify(import.meta.resolve('./lock.ts'))})
    const lock = await takeLock(${JSON.stringify(file)})
    console.log('heldBy' in lock ? 'refused' : 'got it')
    process.stdin.resume()`
  const racers = Array.from({ length: 6 }, () => {
    const racer = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    return {
      racer,
      heard: once(racer.stdout.setEncoding('utf8'), 'data').then(([line]) => String(line).trim()),
    }
  })
  const heard = await Promise.all(racers.map(({ heard }) => heard))
  for (const { racer } of racers) racer.stdin.end()
  await Promise.all(racers.map(({ racer }) => once(racer, 'exit')))
  expect(heard.sort()).toEqual(['got it', ...Array(5).fill('refused')])
})

test('nothing but the lock is left beside it, for the owner alone', async () => {
  const lock = (await takeLock(file)) as Lock
  await lock.note(process.pid)
  expect(await readdir(folder)).toEqual(['lock'])
  expect(JSON.parse(await readFile(file, 'utf8')).spawned).toEqual([processId(process.pid)])
  await lock.release()
  expect(await readdir(folder)).toEqual([])
})
