import type { ColumnType, Generated } from 'kysely'
import type { UsageRecord } from './ledger.ts'

/** Postgres' bigint, which comes as text: it may be more than a double holds. */
type BigInt = ColumnType<string, number | string, number | string>

type Counted = 'input_tokens' | 'output_tokens' | 'cached_tokens'

export interface UsageTables {
  /** Written by ledger.ts alone. */
  usage: Omit<UsageRecord, 'at' | 'cost_micros' | Counted> &
    Record<Counted, BigInt> & { at: Date; cost_micros: BigInt | null }
  budgets: {
    user_id: Generated<string>
    period: 'day' | 'month'
    set_by: 'user' | 'admin'
    tokens: ColumnType<string | null, number | null, number | null>
    money_micros: ColumnType<string | null, string | null, string | null>
    currency: string | null
    updated_at: Generated<Date>
  }
  /** Written by alerts.ts alone. */
  budget_alerts: {
    user_id: string
    period: 'day' | 'month'
    starts: string
    set_by: 'user' | 'admin'
    measure: 'tokens' | 'money'
    percent: number
    budget: BigInt
    used: BigInt
    currency: string | null
    at: Generated<Date>
  }
}
