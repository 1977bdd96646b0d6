import type { ProviderKeysTable } from './keys/tables.ts'
import type { UsageTables } from './usage/tables.ts'

export interface Tables extends UsageTables {
  provider_keys: ProviderKeysTable
}
