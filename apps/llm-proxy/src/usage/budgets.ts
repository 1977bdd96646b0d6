import { AsyncLocalStorage } from 'node:async_hooks'
import { Problem, unavailable } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import { retryHeaders } from '../limits/answers.ts'
import type { Alerts } from './alerts.ts'
import { add, createCounter, roll, usedMoney, usedTokens } from './budget-counter.ts'
import type { Budget, BudgetCounter } from './budget-counter.ts'
import { dayOf, endOf, startOf } from './calendar.ts'
import { amountOf } from './prices.ts'
import type { Cost } from './prices.ts'
import type { BudgetsRead } from './read-budgets.ts'

/** What a call is thought to use at most. */
export interface BudgetClaim {
  tokens: number
  /** Undefined when the model has no price; asked only of users with a budget of money. */
  cost: () => Cost | undefined
  model: string
  /** Of models that cost nothing at all. */
  free: boolean
  /** It may cost what nobody here can count. */
  unmetered: boolean
}

/** A call that is within its user's budgets. */
export interface BudgetHold {
  /** Of the counter that counts it. */
  countedBy: string
  /** When it was let in, in milliseconds since 1970. */
  at: number
  /** Once: counts what was used in place of what was reserved. The row is then on its way: see `written`. */
  end(tokens: number, cost: Cost | undefined): void
  /** Its row is in the database. */
  written: () => void
  /** In place of `end`, when the call was not made. */
  release(): void
}

/** Budgets of days and months (UTC), enforced before a call is made. */
export interface Budgets {
  /**
   * Resolves when what is known of the user is fresh enough; undefined when it is, as it nearly always is.
   * @throws Problem unavailable while nothing is known of the user and the database is away
   */
  ready(userId: string): Promise<void> | undefined
  /**
   * One step, so that of many calls at once exactly those pass that fit. For who is ready.
   * @throws Problem rate_limited with the reason `budget_exceeded`, forbidden with `model_not_priced` or `call_not_metered`
   */
  reserve(userId: string, claim: BudgetClaim): BudgetHold
  /** A budget of this user was changed here: it counts from the next call on. */
  changed: (userId: string) => void
}

export interface BudgetsOptions {
  read: (query: { userId: string; today: string; countedBy: string }) => Promise<BudgetsRead>
  alerts: Alerts
  refreshMs: number
  refuseUnpriced: boolean
  refuseUnmetered: boolean
  now: () => number
  log: Logger
}

/** Of so many users it is remembered what they have used; of others it is read again. */
const MOST_COUNTERS = 20_000

export function createBudgets(options: BudgetsOptions): Budgets {
  const { read, alerts, refreshMs, refuseUnpriced, refuseUnmetered, now, log } = options
  const outsideRequests = AsyncLocalStorage.snapshot()
  const counters = new Map<string, BudgetCounter>()

  function counterOf(userId: string): BudgetCounter {
    let counter = counters.get(userId)
    if (!counter) {
      counter = createCounter(userId)
      counters.set(userId, counter)
      forgetSome()
    }
    roll(counter, now())
    return counter
  }

  /** The oldest first; none of which something is not in the database yet. */
  function forgetSome(): void {
    if (counters.size <= MOST_COUNTERS) return
    let looked = 0
    for (const [userId, { unwritten, reading }] of counters) {
      if (unwritten === 0 && !reading) counters.delete(userId)
      looked += 1
      if (counters.size <= MOST_COUNTERS || looked === 100) return
    }
  }

  async function refresh(counter: BudgetCounter): Promise<void> {
    const { today, id, userId, changes } = counter
    const startedAt = now()
    try {
      const { budgets, day, month } = await read({ userId, today, countedBy: id })
      roll(counter, now())
      counter.budgets = budgets
      if (startOf('month', today) === startOf('month', counter.today)) counter.others.month = month
      if (today === counter.today) counter.others.day = day
      counter.isKnown = true
      // A change in between may not have been seen.
      if (counter.changes === changes) counter.readAt = startedAt
      giveAlerts(counter)
    } catch (error) {
      if (!counter.isKnown)
        throw error instanceof Problem ? error : unavailable('The database', { cause: error })
      // What was known still counts, with what was used here since; the next call tries again, and waits for nothing.
      log.warn({ err: error }, 'budgets could not be read again')
      counter.readAt = now() - refreshMs
    } finally {
      counter.reading = undefined
    }
  }

  const reread = (counter: BudgetCounter) => (counter.reading ??= outsideRequests(refresh, counter))

  async function whenRead(counter: BudgetCounter): Promise<void> {
    await reread(counter)
    // Changed while it was being read.
    if (counter.readAt === -Infinity) await reread(counter)
  }

  function giveAlerts(counter: BudgetCounter): void {
    for (const budget of counter.budgets) alerts.check(counter, budget)
  }

  function admit(counter: BudgetCounter, claim: BudgetClaim): BudgetHold {
    if (!counter.isKnown) throw unavailable('The database')
    if (claim.unmetered && refuseUnmetered && counter.budgets.length > 0) throw notMetered()
    const at = now()
    let cost: Cost | undefined
    let isPriced = false
    // What uses nothing passes a budget that is used up: a list of models, for one.
    const judging = claim.tokens > 0 || claim.unmetered ? counter.budgets : []
    for (const budget of judging) {
      if (budget.money && !isPriced) {
        cost = claim.cost()
        isPriced = true
      }
      refuseBeyond(counter, budget, claim, cost, at)
    }
    add(counter.reserved, claim.tokens, cost)
    counter.unwritten += 1
    const giveBack = () => {
      add(counter.reserved, -claim.tokens, cost && { ...cost, micros: -cost.micros })
    }
    return {
      countedBy: counter.id,
      at,
      end(tokens, used) {
        giveBack()
        roll(counter, now())
        // It belongs to the day on which it began, as its row says.
        const day = dayOf(at)
        if (startOf('month', day) === startOf('month', counter.today)) add(counter.own.month, tokens, used)
        if (day === counter.today) add(counter.own.day, tokens, used)
        giveAlerts(counter)
      },
      written: () => {
        counter.unwritten -= 1
      },
      release() {
        giveBack()
        counter.unwritten -= 1
      },
    }
  }

  function refuseBeyond(
    counter: BudgetCounter,
    { period, tokens, money, setBy }: Budget,
    claim: BudgetClaim,
    cost: Cost | undefined,
    at: number,
  ): void {
    const whose = setBy === 'admin' ? 'that an administrator has set' : 'that you have set'
    if (tokens !== undefined) {
      const left = tokens - usedTokens(counter, period) - counter.reserved.tokens
      // Of a call of which nothing is known the least is asked: that something is left.
      if (Math.max(1, claim.tokens) > left) {
        const detail = `The budget ${whose} is ${tokens} tokens a ${period}; ${Math.max(0, left)} are left, and this request may use ${claim.tokens}.`
        throw exceeded(detail, endOf(period, at) - at)
      }
    }
    if (money && !claim.free) {
      const { micros, currency } = money
      const isPriced = cost?.currency === currency
      if (!isPriced && refuseUnpriced && claim.tokens > 0) {
        const detail = `${claim.model} has no price in ${currency}, and there is a budget of money ${whose}.`
        throw new Problem('forbidden', detail, { extensions: { reason: 'model_not_priced' } })
      }
      const left =
        micros - usedMoney(counter, period, currency) - (counter.reserved.money.get(currency) ?? 0n)
      if (isPriced ? cost.micros > left : left <= 0n) {
        const price = isPriced ? amountOf(cost.micros) : 'an unknown amount'
        const detail = `The budget ${whose} is ${amountOf(micros)} ${currency} a ${period}; ${amountOf(left > 0n ? left : 0n)} are left, and this request may cost ${price}.`
        throw exceeded(detail, endOf(period, at) - at)
      }
    }
  }

  return {
    ready(userId) {
      const counter = counterOf(userId)
      const age = now() - counter.readAt
      if (age > 2 * refreshMs) return whenRead(counter)
      // Nothing waits for it: what it throws is of a user who is not known, and this one is.
      if (age >= refreshMs) void reread(counter)
      return undefined
    },
    reserve: (userId, claim) => admit(counterOf(userId), claim),
    changed(userId) {
      const counter = counters.get(userId)
      if (!counter) return
      counter.readAt = -Infinity
      counter.changes += 1
    },
  }
}

/** A batch of chats, for one, would pass any budget. */
function notMetered(): Problem {
  const detail = 'What this request costs cannot be counted here, and there is a budget: it may not be made.'
  return new Problem('forbidden', detail, { extensions: { reason: 'call_not_metered' } })
}

/** A vendor's SDK shall not try again: nothing changes until the period is over. */
function exceeded(detail: string, waitMs: number): Problem {
  return new Problem('rate_limited', detail, {
    headers: { ...retryHeaders(waitMs), 'x-should-retry': 'false' },
    extensions: { reason: 'budget_exceeded' },
  })
}
