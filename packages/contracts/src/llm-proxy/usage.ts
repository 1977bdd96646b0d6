import { z } from 'zod'
import { endpoint } from '../endpoint.ts'

const service = 'llm-proxy' as const

const day = z.iso.date()
const micros = /^\d{1,12}(\.\d{1,6})?$/

/** Money to the millionth, as text: `12.50`, ISO 4217. */
const money = z.object({
  amount: z.string().regex(micros, 'must be an amount such as 12.50, with at most six decimals'),
  currency: z.string().regex(/^[A-Z]{3}$/, 'must be three capital letters, USD for one'),
})

/** `key`: the user's key for the provider, by its id; `api_key`: the API key that the user came with. */
export const USAGE_DIMENSIONS = ['day', 'model', 'key', 'provider', 'api_key'] as const
const dimension = z.enum(USAGE_DIMENSIONS, {
  error: `must be of ${USAGE_DIMENSIONS.join(', ')}, separated by commas`,
})
export type UsageDimension = z.output<typeof dimension>

const range = {
  /** The first day, in UTC; 29 days before `to` unless said. */
  from: day.optional(),
  /** The last day, itself included; today unless said. */
  to: day.optional(),
  /** What the sums are by, `day,model` for one; by day unless said. */
  by: z
    .string()
    .max(100)
    .transform((text) => text.split(','))
    .pipe(z.array(dimension).refine((all) => new Set(all).size === all.length, { error: 'names one twice' }))
    .default(['day']),
}

/** Of calls that have the same in all that the sums are by. A member is there when the sums are by it; null where there is none. */
export const usageSum = z.object({
  day: day.optional(),
  model: z.string().optional(),
  key_id: z.string().nullable().optional(),
  provider: z.string().optional(),
  api_key_id: z.string().nullable().optional(),
  requests: z.int(),
  /** Of the requests: the provider failed, or was not reached. */
  failures: z.int(),
  /** Of the requests: the client went away. */
  aborted: z.int(),
  /** Of the requests: answered from this service's own cache. */
  cached: z.int(),
  input_tokens: z.int(),
  output_tokens: z.int(),
  /** Of the input tokens: they came from the provider's cache. */
  cached_input_tokens: z.int(),
  /** Which part of the tokens is an estimate, 0 to 1, because the provider did not say. */
  estimated_share: z.number().min(0).max(1),
  /** One per currency, by its name. */
  cost: z.array(money),
  /** Of the requests: the price table does not know their model. */
  unpriced: z.int(),
})
export type UsageSum = z.output<typeof usageSum>

export const usageReport = z.object({
  from: day,
  to: day,
  by: z.array(dimension),
  /** By `day` the newest first, by the others in alphabetical order, in the order that `by` has. */
  items: z.array(usageSum),
  /** Of all items together. */
  total: usageSum,
})
export type UsageReport = z.output<typeof usageReport>

export const getUsage = endpoint({
  service,
  method: 'GET',
  path: '/usage',
  summary: 'What the calling user has used of models, summed up by day, model, key or provider',
  query: z.strictObject(range),
  output: usageReport,
  permission: 'stats.read',
})

/** Days and months are those of UTC. */
export const budgetPeriod = z.enum(['day', 'month'], { error: 'must be day or month' })

const budgetBody = z
  .strictObject({
    /** Of input and output. */
    tokens: z.int({ error: 'must be a whole number', abort: true }).min(0).max(1_000_000_000_000).optional(),
    money: money.strict().optional(),
  })
  .refine(({ tokens, money: amount }) => tokens !== undefined || amount !== undefined, {
    error: 'must have tokens or money',
  })

export const budget = z.object({
  period: budgetPeriod,
  /** `admin`: set by an administrator, beside the user's own; both count. */
  set_by: z.enum(['user', 'admin']),
  tokens: z.int().nullable(),
  money: money.nullable(),
  /** In this period, so far. */
  used_tokens: z.int(),
  /** The same in the currency of the budget; null when it is of tokens only. */
  used_money: money.nullable(),
  /** The first day of this period. */
  starts: day,
  /** When the next one begins. */
  ends: z.iso.datetime(),
  updated_at: z.iso.datetime(),
})
export type Budget = z.output<typeof budget>

const budgets = z.object({ items: z.array(budget) })
const periodParams = z.object({ period: budgetPeriod })

export const listBudgets = endpoint({
  service,
  method: 'GET',
  path: '/usage/budgets',
  summary: "The calling user's budgets, and how much of them is used",
  output: budgets,
  permission: 'stats.read',
})

export const putBudget = endpoint({
  service,
  method: 'PUT',
  path: '/usage/budgets/:period',
  summary: 'Set a budget of tokens, money or both for oneself, in the place of the one before',
  params: periodParams,
  body: budgetBody,
  output: budget,
})

export const deleteBudget = endpoint({
  service,
  method: 'DELETE',
  path: '/usage/budgets/:period',
  summary: "Remove a budget of one's own; one that an administrator has set stays",
  params: periodParams,
  status: 204,
})

export const usageAlert = z.object({
  period: budgetPeriod,
  starts: day,
  set_by: z.enum(['user', 'admin']),
  measure: z.enum(['tokens', 'money']),
  /** So much of the budget was used: 80, say. */
  percent: z.int(),
  /** What the budget was, and what was used when the alert was given: tokens, or an amount of `currency`. */
  budget: z.string(),
  used: z.string(),
  currency: z.string().nullable(),
  at: z.iso.datetime(),
})

export const listAlerts = endpoint({
  service,
  method: 'GET',
  path: '/usage/alerts',
  summary: "The alerts of the calling user's budgets, newest first",
  query: z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(50) }),
  output: z.object({ items: z.array(usageAlert) }),
  permission: 'stats.read',
})

/** As auth-service gives them: no control characters, which would only be a mistake. */
const userId = z.string().regex(/^[^\p{Cc}\p{Cs}]{1,256}$/u, 'must be the id of a user')
const userParams = z.object({ id: userId })

export const getUserUsage = endpoint({
  service,
  method: 'GET',
  path: '/usage/users/:id',
  summary: 'For administrators: what a user has used of models, as GET /usage sums it up, and the budgets',
  params: userParams,
  query: z.strictObject(range),
  output: usageReport.extend({ budgets: z.array(budget) }),
  permission: 'auth.admin',
})

export const putUserBudget = endpoint({
  service,
  method: 'PUT',
  path: '/usage/users/:id/budgets/:period',
  summary: "For administrators: set a budget of a user that the user cannot raise, beside the user's own",
  params: z.object({ id: userId, period: budgetPeriod }),
  body: budgetBody,
  output: budget,
  permission: 'auth.admin',
})

export const deleteUserBudget = endpoint({
  service,
  method: 'DELETE',
  path: '/usage/users/:id/budgets/:period',
  summary: "For administrators: remove the budget that administrators have set; the user's own stays",
  params: z.object({ id: userId, period: budgetPeriod }),
  status: 204,
  permission: 'auth.admin',
})
