import { isolationOperations } from './fixtures/isolation-operations.ts'

isolationOperations('supabase')
