import type { Database } from '@waybill/database'
import type { Logger } from '@waybill/service-kit'
import { ATTRIBUTE, countEvent, METRIC } from '@waybill/telemetry'
import type { Tables } from '../tables.ts'
import { usedMoney, usedTokens } from './budget-counter.ts'
import type { Budget, BudgetCounter } from './budget-counter.ts'
import { startOf } from './calendar.ts'

/** A threshold of a budget that was reached. */
export interface Alert {
  user_id: string
  period: Budget['period']
  /** The first day of the period. */
  starts: string
  set_by: Budget['setBy']
  measure: 'tokens' | 'money'
  percent: number
  /** In tokens, or in millionths of `currency`. */
  budget: string
  used: string
  currency: string | null
  /** When it was reached: of two that are kept at the same time, the order. */
  at: Date
}

export interface Alerts {
  /** Gives the alerts whose thresholds are reached: a row, a line in the log and a metric, once for all instances. Never throws. */
  check(counter: BudgetCounter, budget: Budget): void
  /** Resolves when those that are being given are. */
  settled(): Promise<void>
}

interface AlertsOptions {
  percents: readonly number[]
  /** Keeps the alert; false when it was there already. */
  keep: (alert: Alert) => Promise<boolean>
  log: Logger
}

export function createAlerts({ percents, keep, log }: AlertsOptions): Alerts {
  const giving = new Set<Promise<void>>()

  async function give(counter: BudgetCounter, name: string, alert: Alert): Promise<void> {
    try {
      if (!(await keep(alert))) return
    } catch (error) {
      // With the user's next call it is tried again.
      counter.alerted.delete(name)
      log.warn({ err: error }, 'an alert of a budget could not be kept')
      return
    }
    log.warn({ ...alert }, 'a budget is used up to the percentage of an alert')
    countEvent(METRIC.budgetAlert, { [ATTRIBUTE.limit]: `${alert.measure}_per_${alert.period}` })
  }

  function reach(
    counter: BudgetCounter,
    budget: Budget,
    measure: Alert['measure'],
    used: bigint,
    limit: bigint,
  ): void {
    if (limit === 0n) return
    for (const percent of percents) {
      if (used * 100n < limit * BigInt(percent)) return
      const starts = startOf(budget.period, counter.today)
      const name = [budget.period, starts, budget.setBy, measure, percent, limit].join(' ')
      if (counter.alerted.has(name)) continue
      counter.alerted.add(name)
      const alert: Alert = {
        user_id: counter.userId,
        period: budget.period,
        starts,
        set_by: budget.setBy,
        measure,
        percent,
        budget: String(limit),
        used: String(used),
        currency: measure === 'money' ? (budget.money?.currency ?? null) : null,
        at: new Date(),
      }
      const given = give(counter, name, alert).finally(() => giving.delete(given))
      giving.add(given)
    }
  }

  return {
    check(counter, budget) {
      const { period, tokens, money } = budget
      if (tokens !== undefined) {
        reach(counter, budget, 'tokens', BigInt(usedTokens(counter, period)), BigInt(tokens))
      }
      if (money) reach(counter, budget, 'money', usedMoney(counter, period, money.currency), money.micros)
    },
    async settled() {
      await Promise.all(giving)
    },
  }
}

/** The one that keeps alerts in the database: the primary key says which are the same. */
export function alertsIn(database: Database<Tables>): AlertsOptions['keep'] {
  return (alert) =>
    database.withoutPrincipal(async (tx) => {
      const kept = await tx
        .insertInto('budget_alerts')
        .values(alert)
        .onConflict((conflict) => conflict.doNothing())
        .returning('percent')
        .executeTakeFirst()
      return kept !== undefined
    })
}
