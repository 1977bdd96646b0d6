import type { Generated } from 'kysely'

export interface ProviderKeysTable {
  id: string
  user_id: Generated<string>
  provider: string
  name: string
  base_url: string | null
  sealed: Buffer
  kek: string
  last_four: string
  is_default: boolean
  created_at: Generated<Date>
  rotated_at: Generated<Date | null>
  checked_at: Generated<Date | null>
}
