import type { Database } from '@waybill/database'
import { sql } from 'kysely'
import type { Tables } from '../tables.ts'
import { add, noSums } from './budget-counter.ts'
import type { Budget, Sums } from './budget-counter.ts'
import { startOf } from './calendar.ts'

export interface BudgetsRead {
  budgets: Budget[]
  day: Sums
  month: Sums
}

/**
 * The budgets of a user, and what was used in this day and month, apart from what the counter `countedBy` has counted itself.
 * Without a budget nothing is summed up. @throws what `withoutPrincipal` throws
 */
export function readBudgets(
  database: Database<Tables>,
  { userId, today, countedBy }: { userId: string; today: string; countedBy: string },
): Promise<BudgetsRead> {
  return database.withoutPrincipal(
    async (tx) => {
      const rows = await tx.selectFrom('budgets').selectAll().where('user_id', '=', userId).execute()
      const read: BudgetsRead = { budgets: rows.map(budgetOf), day: noSums(), month: noSums() }
      if (rows.length === 0) return read
      const from = rows.some(({ period }) => period === 'month') ? startOf('month', today) : today
      const sums = await sql<{
        today: boolean
        currency: string | null
        tokens: string
        micros: string | null
      }>`
        select day = ${today}::date as today, currency, sum(input_tokens + output_tokens) as tokens, sum(cost_micros) as micros
        from usage
        where user_id = ${userId} and day between ${from}::date and ${today}::date and counted_by <> ${countedBy}::uuid
        group by 1, 2`.execute(tx)
      for (const { today: isToday, currency, tokens, micros } of sums.rows) {
        const money = currency === null ? undefined : { micros: BigInt(micros ?? 0), currency }
        add(read.month, Number(tokens), money)
        if (isToday) add(read.day, Number(tokens), money)
      }
      return read
    },
    { readOnly: true },
  )
}

export function budgetOf(row: {
  period: 'day' | 'month'
  set_by: 'user' | 'admin'
  tokens: string | null
  money_micros: string | null
  currency: string | null
}): Budget {
  const { period, set_by: setBy, tokens, money_micros: micros, currency } = row
  return {
    period,
    setBy,
    tokens: tokens === null ? undefined : Number(tokens),
    money: micros === null || currency === null ? undefined : { micros: BigInt(micros), currency },
  }
}
