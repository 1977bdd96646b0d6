import type { llmProxy } from '@waybill/contracts'
import type { Database } from '@waybill/database'
import type { UserPrincipal } from '@waybill/service-kit'
import { sql } from 'kysely'
import type { z } from 'zod'
import type { Tables } from '../tables.ts'
import { amountOf } from './prices.ts'

type UsageAlert = z.output<typeof llmProxy.usageAlert>

/** The newest alerts of the user's budgets. @throws what `withPrincipal` throws */
export async function listAlerts(
  database: Database<Tables>,
  principal: UserPrincipal,
  limit: number,
): Promise<UsageAlert[]> {
  const rows = await database.withPrincipal(
    principal,
    (tx) =>
      tx
        .selectFrom('budget_alerts')
        .select(['period', 'set_by', 'measure', 'percent', 'budget', 'used', 'currency', 'at'])
        .select(sql<string>`to_char(starts, 'YYYY-MM-DD')`.as('starts'))
        .where('user_id', '=', principal.userId)
        .orderBy('at', 'desc')
        .orderBy('percent', 'desc')
        .limit(limit)
        .execute(),
    { readOnly: true },
  )
  return rows.map(({ at, budget, used, ...row }) => {
    const told = (value: string) => (row.measure === 'money' ? amountOf(BigInt(value)) : value)
    return { ...row, budget: told(budget), used: told(used), at: at.toISOString() }
  })
}
