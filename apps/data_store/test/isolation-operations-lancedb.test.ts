import { isolationOperations } from './fixtures/isolation-operations.ts'

// 10,000 take its one writer two minutes.
isolationOperations('lancedb', 2_500)
