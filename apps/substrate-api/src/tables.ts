import type { Generated } from 'kysely'

interface BasketTable {
  /** Set by the database from the claims of the transaction, as `created_by` is. */
  workspace_id: Generated<string>
  id: Generated<string>
  name: string
  status: Generated<'active' | 'archived'>
  metadata: Record<string, unknown>
  created_by: Generated<string>
  created_at: Generated<Date>
}

interface RawDumpTable {
  workspace_id: Generated<string>
  id: Generated<string>
  basket_id: string
  content: string
  source: string | null
  created_by: Generated<string>
  created_at: Generated<Date>
}

export interface Tables {
  baskets: BasketTable
  raw_dumps: RawDumpTable
}
