import { expect, onTestFinished, test, vi } from 'vitest'
import { createDatabaseManager } from '../index.ts'
import { handleHealth } from './index.ts'

// No query is made: the pages that are asked for here touch no database.
const manager = createDatabaseManager()
const ask = (path: string, options: Parameters<typeof handleHealth>[3]) =>
  handleHealth(new Request(`http://health.test${path}`), {}, undefined, { manager, ...options })

test('a path with a slash at its end is the same path', async () => {
  for (const path of ['/health', '/health/']) {
    expect((await ask('/health', { path }))?.status).toBe(200)
    expect((await ask('/health/live', { path }))?.status).toBe(200)
    expect(await ask('/elsewhere', { path })).toBeUndefined()
  }
})

test('a token that cannot be read lets nobody in, and does not end in an exception', async () => {
  const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => printed.mockRestore())
  const token = () => {
    throw new Error('the secret store is down')
  }
  expect((await ask('/api/health/database-performance', { token }))?.status).toBe(401)
  expect(printed).toHaveBeenCalledOnce()
})
