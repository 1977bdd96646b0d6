import type { llmProxy } from '@waybill/contracts'
import { recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import { sql } from 'kysely'
import type { Tables } from '../tables.ts'
import { dayOf, endOf, startOf } from './calendar.ts'
import type { Period } from './calendar.ts'
import { amountOf, microsOf } from './prices.ts'

/** Which budget: whose, of which period, and set by whom. */
export interface BudgetName {
  userId: string
  period: Period
  setBy: 'user' | 'admin'
}

export interface NewBudget {
  tokens?: number | undefined
  money?: { amount: string; currency: string } | undefined
}

/** Budgets as people set and see them; row-level security says who may what. Every method throws what `withPrincipal` throws. */
export interface BudgetStore {
  /** With what is used of them. */
  list(principal: UserPrincipal, userId: string): Promise<llmProxy.Budget[]>
  /** In the place of the one before. */
  set(principal: UserPrincipal, name: BudgetName, budget: NewBudget): Promise<llmProxy.Budget>
  /** @throws Problem not_found */
  remove(principal: UserPrincipal, name: BudgetName): Promise<void>
}

interface Options {
  database: Database<Tables>
  /** Called when a budget of this user has changed. */
  changed: (userId: string) => void
  now: () => number
}

export function createBudgetStore({ database, changed, now }: Options): BudgetStore {
  async function list(principal: UserPrincipal, userId: string): Promise<llmProxy.Budget[]> {
    const at = now()
    const today = dayOf(at)
    const { rows } = await database.withPrincipal(
      principal,
      (tx) =>
        sql<BudgetRow>`
          select b.period, b.set_by, b.tokens, b.money_micros, b.currency, b.updated_at,
            coalesce(u.tokens, 0) as used_tokens, coalesce(u.micros, 0) as used_micros
          from budgets b, lateral (
            select sum(input_tokens + output_tokens) as tokens, sum(cost_micros) filter (where currency = b.currency) as micros
            from usage
            where user_id = b.user_id and day <= ${today}::date
              and day >= case b.period when 'day' then ${today}::date else ${startOf('month', today)}::date end
          ) u
          where b.user_id = ${userId}
          order by b.period, b.set_by`.execute(tx),
      { readOnly: true },
    )
    return rows.map((row) => describe(row, at))
  }

  return {
    list,
    async set(principal, name, { tokens, money }) {
      const { userId, period, setBy } = name
      const values = {
        tokens: tokens ?? null,
        money_micros: money ? String(microsOf(money.amount)) : null,
        currency: money?.currency ?? null,
      }
      await database.withPrincipal(principal, async (tx) => {
        await tx
          .insertInto('budgets')
          .values({ user_id: userId, period, set_by: setBy, ...values })
          .onConflict((conflict) =>
            conflict
              .columns(['user_id', 'period', 'set_by'])
              .doUpdateSet({ ...values, updated_at: sql`now()` }),
          )
          .execute()
        const details = { tokens: tokens ?? null, money: money ?? null }
        await recordAudit(tx, {
          action: 'budget.set',
          resource: resourceOf(name),
          outcome: 'success',
          details,
          principal,
        })
      })
      changed(userId)
      const set = (await list(principal, userId)).find(
        (budget) => budget.period === period && budget.set_by === setBy,
      )
      if (!set) throw new Problem('conflict', 'The budget was removed by somebody else.')
      return set
    },
    async remove(principal, name) {
      const { userId, period, setBy } = name
      await database.withPrincipal(principal, async (tx) => {
        const { numDeletedRows } = await tx
          .deleteFrom('budgets')
          .where('user_id', '=', userId)
          .where('period', '=', period)
          .where('set_by', '=', setBy)
          .executeTakeFirstOrThrow()
        if (numDeletedRows === 0n) throw new Problem('not_found', `There is no such budget of a ${period}.`)
        await recordAudit(tx, {
          action: 'budget.remove',
          resource: resourceOf(name),
          outcome: 'success',
          principal,
        })
      })
      changed(userId)
    },
  }
}

function resourceOf({ userId, period, setBy }: BudgetName): string {
  return `budget/${userId}/${period}/${setBy}`
}

interface BudgetRow {
  period: Period
  set_by: 'user' | 'admin'
  tokens: string | null
  money_micros: string | null
  currency: string | null
  updated_at: Date
  used_tokens: string
  used_micros: string
}

function describe(row: BudgetRow, at: number): llmProxy.Budget {
  const { period, set_by, tokens, money_micros: micros, currency, updated_at } = row
  const moneyOf = (amount: string | null) =>
    amount === null || currency === null ? null : { amount: amountOf(BigInt(amount)), currency }
  return {
    period,
    set_by,
    tokens: tokens === null ? null : Number(tokens),
    money: moneyOf(micros),
    used_tokens: Number(row.used_tokens),
    used_money: moneyOf(row.used_micros),
    starts: startOf(period, dayOf(at)),
    ends: new Date(endOf(period, at)).toISOString(),
    updated_at: updated_at.toISOString(),
  }
}
