import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{packages,dev,examples,test}/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '**/.sluice/**'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
