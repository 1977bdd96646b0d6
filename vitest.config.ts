import { defineConfig } from 'vitest/config'

/** For every workspace: `vitest run --root . --config ../../vitest.config.ts`. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Generous, because a busy machine starts a database slowly; no test waits for time to pass.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    env: { LOG_LEVEL: 'silent' },
    restoreMocks: true,
  },
})
