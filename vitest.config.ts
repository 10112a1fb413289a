import { defineConfig } from 'vitest/config'

const exclude = ['**/node_modules/**', '**/dist/**', '**/.sluice/**']

/**
 * What has deadlines of its own, a machine's ports, memory and processes to itself, or counts what changes in a server
 * that others use: one file after the other, after the rest, of which two run at once.
 */
const alone = [
  'dev/**/*.test.ts',
  'test/*.test.ts',
  'test/{edge,monitor}/**/*.test.ts',
  'test/gateway/idle.test.ts',
  'packages/gateway/src/catalogue/latest.test.ts',
]

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'together',
          include: ['{packages,examples,test}/**/*.test.ts'],
          exclude: [...exclude, ...alone],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: alone, exclude, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
