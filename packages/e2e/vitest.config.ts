import { mergeConfig } from 'vitest/config'
import shared from '../../vitest.config.ts'

/** One platform for all files, started before the first; the drills that break things start their own. */
export default mergeConfig(shared, {
  test: { globalSetup: ['src/shared-platform.ts'], fileParallelism: false },
})
