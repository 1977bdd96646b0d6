import { describe } from 'vitest'
import { createMemoryStore } from '../src/limits/memory-store.ts'
import { theSameLimits } from './limits-rules.ts'

describe('counted in this process', () => {
  theSameLimits((now) => createMemoryStore(now))
})
