import type { llmProxy } from '@waybill/contracts'
import type { Database } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import { sql } from 'kysely'
import type { Tables } from '../tables.ts'
import { dayOf } from './calendar.ts'
import { amountOf } from './prices.ts'

export interface ReportQuery {
  /** Whose usage. */
  userId: string
  from?: string | undefined
  to?: string | undefined
  by: readonly llmProxy.UsageDimension[]
}

export interface ReportLimits {
  maxDays: number
  maxGroups: number
}

const DAY_MS = 86_400_000
const USUAL_DAYS = 30
/** Of one sum: what has no price, and currencies. */
const MOST_CURRENCIES = 4

/** The columns that sums can be by, with their names in the answer and how they are sorted. */
const COLUMNS = {
  day: { column: sql`to_char(day, 'YYYY-MM-DD')`, as: 'day', order: sql`desc` },
  model: { column: sql`model`, as: 'model', order: sql`asc` },
  key: { column: sql`key_id`, as: 'key_id', order: sql`asc nulls first` },
  provider: { column: sql`provider`, as: 'provider', order: sql`asc` },
  api_key: { column: sql`api_key_id`, as: 'api_key_id', order: sql`asc nulls first` },
} as const satisfies Record<llmProxy.UsageDimension, object>

/** Of one group in one currency. Postgres' sums come as text. */
interface SumRow {
  group: Record<string, string | null>
  requests: string
  failures: string
  aborted: string
  cached: string
  input: string
  output: string
  cached_input: string
  estimated: string
  currency: string | null
  micros: string | null
}

/**
 * Sums up what a user has used, as `principal` may see it.
 * @throws Problem bad_request for a range that is none or too long, unprocessable when there are too many sums, and what
 * `withPrincipal` throws
 */
export async function reportUsage(
  database: Database<Tables>,
  principal: UserPrincipal,
  { userId, by, ...asked }: ReportQuery,
  { maxDays, maxGroups }: ReportLimits,
): Promise<llmProxy.UsageReport> {
  const { from, to } = rangeOf(asked, maxDays)
  const maxRows = maxGroups * MOST_CURRENCIES
  const dimensions = by.map((name) => COLUMNS[name])
  const members = dimensions.flatMap(({ as, column }) => [sql.lit(as), column])
  const grouped = [...dimensions.map(({ column }) => column), sql`currency`]
  const ordered = [...dimensions.map(({ column, order }) => sql`${column} ${order}`), sql`currency`]
  const { rows } = await database.withPrincipal(
    principal,
    (tx) =>
      sql<SumRow>`
        select json_build_object(${sql.join(members)}) as group, currency,
          count(*) as requests,
          count(*) filter (where result = 'failed') as failures,
          count(*) filter (where result = 'aborted') as aborted,
          count(*) filter (where result = 'cached') as cached,
          sum(input_tokens) as input, sum(output_tokens) as output, sum(cached_tokens) as cached_input,
          coalesce(sum(input_tokens + output_tokens) filter (where estimated), 0) as estimated,
          sum(cost_micros) as micros
        from usage
        where user_id = ${userId} and day between ${from}::date and ${to}::date
        group by ${sql.join(grouped)}
        order by ${sql.join(ordered)}
        limit ${maxRows + 1}`.execute(tx),
    { readOnly: true },
  )
  const items: llmProxy.UsageSum[] = []
  let current: { name: string; rows: SumRow[] } | undefined
  // Those of one group stand together: the currency is the last that they are sorted by.
  for (const row of rows) {
    const name = JSON.stringify(row.group)
    if (current?.name === name) current.rows.push(row)
    else {
      if (current) items.push(sumOf(current.rows))
      current = { name, rows: [row] }
    }
  }
  if (current) items.push(sumOf(current.rows))
  if (items.length > maxGroups || rows.length > maxRows) {
    const detail = `There are more than ${maxGroups} sums. Ask for fewer days, or for sums by less.`
    throw new Problem('unprocessable', detail)
  }
  return { from, to, by: [...by], items, total: sumOf(rows.map((row) => ({ ...row, group: {} }))) }
}

/** From 29 days before `to`, up to today, unless said. */
function rangeOf(asked: { from?: string | undefined; to?: string | undefined }, maxDays: number) {
  const to = asked.to ?? dayOf(Date.now())
  const from = asked.from ?? dayOf(Date.parse(to) - (Math.min(USUAL_DAYS, maxDays) - 1) * DAY_MS)
  const days = (Date.parse(to) - Date.parse(from)) / DAY_MS + 1
  if (days < 1) throw new Problem('bad_request', `from (${from}) is after to (${to}).`)
  if (days > maxDays) {
    throw new Problem(
      'bad_request',
      `from ${from} to ${to} are ${days} days; at most ${maxDays} are summed up.`,
    )
  }
  return { from, to }
}

function sumOf(rows: readonly SumRow[]): llmProxy.UsageSum {
  const total = (
    member:
      'requests' | 'failures' | 'aborted' | 'cached' | 'input' | 'output' | 'cached_input' | 'estimated',
  ) => rows.reduce((sum, row) => sum + Number(row[member]), 0)
  const money = new Map<string, bigint>()
  for (const { currency, micros } of rows) {
    if (currency !== null) money.set(currency, (money.get(currency) ?? 0n) + BigInt(micros ?? 0))
  }
  const tokens = total('input') + total('output')
  const unpriced = rows.filter(({ currency }) => currency === null)
  return {
    ...rows[0]?.group,
    requests: total('requests'),
    failures: total('failures'),
    aborted: total('aborted'),
    cached: total('cached'),
    input_tokens: total('input'),
    output_tokens: total('output'),
    cached_input_tokens: total('cached_input'),
    estimated_share: tokens === 0 ? 0 : Math.round((total('estimated') / tokens) * 10_000) / 10_000,
    cost: [...money]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([currency, micros]) => ({ amount: amountOf(micros), currency })),
    unpriced: unpriced.reduce((sum, row) => sum + Number(row.requests), 0),
  }
}
