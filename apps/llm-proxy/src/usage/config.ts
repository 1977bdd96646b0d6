import { env } from '@waybill/service-kit'

/** The variables of what is written down about usage, and of budgets. */
export const usageEnv = {
  USAGE_WRITE_INTERVAL_MS: env
    .int({ min: 0, max: 10_000, default: 50 })
    .describe(
      'Rows of usage are written together, so often at most, in milliseconds; the first after a pause at once',
    ),
  USAGE_BUFFER_MAX: env
    .int({ min: 1, max: 1_000_000, default: 10_000 })
    .describe('How many rows of usage may wait for the database; while so many do, calls to models are 503'),
  USAGE_RETENTION_DAYS: env
    .int({ min: 32, max: 36_500, default: 400 })
    .describe('How long rows of usage and alerts are kept, in days; longer than a month, for its budgets'),
  USAGE_RANGE_DAYS_MAX: env
    .int({ min: 1, max: 36_500, default: 366 })
    .describe('The most days that one request sums up'),
  USAGE_GROUPS_MAX: env
    .int({ min: 1, max: 100_000, default: 5_000 })
    .describe('The most sums in one answer; 422 above that'),
  BUDGET_REFRESH_SECONDS: env
    .int({ min: 1, max: 3_600, default: 30 })
    .describe('How late another instance may know of a budget, and of what was used here, in seconds'),
  BUDGET_ALERT_PERCENTS: env
    .list(['80', '100'])
    .refine((list) => list.every((percent) => /^[1-9]\d{0,2}$/.test(percent)), {
      error: 'must be whole percents such as 80,100',
    })
    .transform((list) => [...new Set(list.map(Number))].sort((one, other) => one - other))
    .describe('At how many percent of a budget an alert is given'),
  BUDGET_UNPRICED_MODELS: env
    .choice(['refuse', 'allow'], 'refuse')
    .describe('Whether a user with a budget of money may use models that have no price in its currency'),
  BUDGET_UNMETERED_CALLS: env
    .choice(['refuse', 'allow'], 'refuse')
    .describe(
      'Whether a user with a budget may make calls whose cost is not counted here: batches, images, audio, uploads, whatever is no chat, completion or embedding',
    ),
}

export interface UsageConfig {
  USAGE_WRITE_INTERVAL_MS: number
  USAGE_BUFFER_MAX: number
  USAGE_RETENTION_DAYS: number
  USAGE_RANGE_DAYS_MAX: number
  USAGE_GROUPS_MAX: number
  BUDGET_REFRESH_SECONDS: number
  BUDGET_ALERT_PERCENTS: number[]
  BUDGET_UNPRICED_MODELS: 'refuse' | 'allow'
  BUDGET_UNMETERED_CALLS: 'refuse' | 'allow'
}
