import type { ColumnType, Generated } from 'kysely'

/** Postgres' bigint, which comes as text: it may be more than a double holds. */
type BigInt = ColumnType<string, number | string, number | string>

export interface UsageTables {
  /** Written by ledger.ts alone. */
  usage: {
    id: string
    at: Date
    /** YYYY-MM-DD, in UTC. */
    day: string
    user_id: string
    api_key_id: string | null
    provider: string
    model: string
    key_id: string | null
    operation: string
    stream: boolean
    result: string
    input_tokens: BigInt
    output_tokens: BigInt
    cached_tokens: BigInt
    estimated: boolean
    cost_micros: BigInt | null
    currency: string | null
    request_id: string | null
    counted_by: string
  }
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
