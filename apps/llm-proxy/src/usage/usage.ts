import type { llmProxy } from '@waybill/contracts'
import type { Database } from '@waybill/database'
import { createQuotas } from '@waybill/service-kit'
import type { Logger, Quotas, Throttle, UserPrincipal } from '@waybill/service-kit'
import type { LimitsConfig } from '../limits/config.ts'
import { throttleAnonymous } from '../limits/anonymous.ts'
import { createLimits } from '../limits/limits.ts'
import { openLimitStore } from '../limits/open-store.ts'
import type { Tables } from '../tables.ts'
import { alertsIn, createAlerts } from './alerts.ts'
import { createBudgets } from './budgets.ts'
import { createBudgetStore } from './budget-store.ts'
import type { BudgetStore } from './budget-store.ts'
import type { UsageConfig } from './config.ts'
import { createLedger } from './ledger.ts'
import type { Ledger } from './ledger.ts'
import { createMeter } from './meter.ts'
import type { Meter } from './meter.ts'
import { createPrices } from './prices.ts'
import type { Price } from './prices.ts'
import { listAlerts } from './list-alerts.ts'
import { readBudgets } from './read-budgets.ts'
import { reportUsage } from './report.ts'
import type { ReportQuery } from './report.ts'
import { createRetention } from './retention.ts'
import { writeUsage } from './write-usage.ts'

export interface UsageOptions {
  config: LimitsConfig & UsageConfig
  database: Database<Tables>
  prices: readonly Price[]
  log: Logger
  /** In milliseconds since 1970; the clock unless said. */
  now?: () => number
}

/** Limits, budgets and the record of usage of one service. */
export interface Usage {
  meter: Meter
  budgets: BudgetStore
  /** Sums of what was used, up to the last call that has ended here. */
  report: (principal: UserPrincipal, query: ReportQuery) => Promise<llmProxy.UsageReport>
  alerts: (principal: UserPrincipal, limit: number) => ReturnType<typeof listAlerts>
  ledger: Ledger
  /** Further counters that all instances share. */
  quotas: Pick<Quotas, 'counter'>
  /** For createService: counts, by address, the calls that prove no identity. */
  throttle: Throttle
  /** A start task, for after the database's. */
  start(): Promise<void>
  /** Writes down what is left; before the database is closed. */
  close(): Promise<void>
}

export function openUsage({ config, database, prices, log, now = Date.now }: UsageOptions): Usage {
  const quotas = createQuotas({ redisUrl: config.REDIS_URL, log })
  const limits = createLimits(config, openLimitStore(config, log, now))
  const ledger = createLedger({
    write: (records) => writeUsage(database, records),
    intervalMs: config.USAGE_WRITE_INTERVAL_MS,
    log,
  })
  const alerts = createAlerts({ percents: config.BUDGET_ALERT_PERCENTS, keep: alertsIn(database), log })
  const budgets = createBudgets({
    read: (query) => readBudgets(database, query),
    alerts,
    refreshMs: config.BUDGET_REFRESH_SECONDS * 1_000,
    refuseUnpriced: config.BUDGET_UNPRICED_MODELS === 'refuse',
    refuseUnmetered: config.BUDGET_UNMETERED_CALLS === 'refuse',
    now,
    log,
  })
  const retention = createRetention({ database, days: config.USAGE_RETENTION_DAYS, log })
  const meter = createMeter({
    limits,
    budgets,
    ledger,
    prices: createPrices(prices),
    bufferMax: config.USAGE_BUFFER_MAX,
  })
  // While it cannot be written, what is written is told.
  const upToNow = () => ledger.flush().catch(() => undefined)
  const store = createBudgetStore({ database, changed: budgets.changed, now })
  return {
    meter,
    ledger,
    quotas,
    throttle: throttleAnonymous(quotas, config.ANONYMOUS_CALLS_PER_MINUTE),
    budgets: {
      ...store,
      async list(principal, userId) {
        await upToNow()
        return store.list(principal, userId)
      },
    },
    async report(principal, query) {
      await upToNow()
      const limits = { maxDays: config.USAGE_RANGE_DAYS_MAX, maxGroups: config.USAGE_GROUPS_MAX }
      return reportUsage(database, principal, query, limits)
    },
    async alerts(principal, limit) {
      await alerts.settled()
      return listAlerts(database, principal, limit)
    },
    async start() {
      await Promise.all([quotas.start(), limits.start()])
      await retention.start()
    },
    async close() {
      retention.close()
      await ledger.close()
      await alerts.settled()
      await Promise.all([quotas.close(), limits.close()])
    },
  }
}
