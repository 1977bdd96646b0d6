import { randomUUID } from 'node:crypto'
import { dayOf, startOf } from './calendar.ts'
import type { Period } from './calendar.ts'

/** What may be used in one period, as a row of the table says it. */
export interface Budget {
  period: Period
  setBy: 'user' | 'admin'
  tokens: number | undefined
  money: { micros: bigint; currency: string } | undefined
}

/** What was used: tokens, and money by currency in millionths. */
export interface Sums {
  tokens: number
  money: Map<string, bigint>
}

/** What this process knows of one user's usage. */
export interface BudgetCounter {
  /** Stands in every row that is counted here, so that the sums of the others leave it out. */
  readonly id: string
  readonly userId: string
  /** The day that `day` is of; `month` is of the month that it is in. */
  today: string
  own: Record<Period, Sums>
  /** Of all rows that were not counted here, when they were last read. */
  others: Record<Period, Sums>
  reserved: Sums
  budgets: readonly Budget[]
  /** When budgets and sums were read, in milliseconds since 1970; -Infinity: they must be, before the next call. */
  readAt: number
  /** Whether they were ever read. */
  isKnown: boolean
  /** How often a budget was changed here. */
  changes: number
  reading: Promise<void> | undefined
  /** Calls whose rows are not in the database yet. While there are any, nobody else can know of them. */
  unwritten: number
  /** Which alerts were given, or are being given. */
  alerted: Set<string>
}

export function createCounter(userId: string): BudgetCounter {
  return {
    id: randomUUID(),
    userId,
    today: '',
    own: { day: noSums(), month: noSums() },
    others: { day: noSums(), month: noSums() },
    reserved: noSums(),
    budgets: [],
    readAt: -Infinity,
    isKnown: false,
    changes: 0,
    reading: undefined,
    unwritten: 0,
    alerted: new Set(),
  }
}

export function noSums(): Sums {
  return { tokens: 0, money: new Map() }
}

export function add(sums: Sums, tokens: number, money?: { micros: bigint; currency: string }): void {
  sums.tokens += tokens
  if (money) sums.money.set(money.currency, (sums.money.get(money.currency) ?? 0n) + money.micros)
}

/** Begins the new day, and the new month, when there is one. */
export function roll(counter: BudgetCounter, now: number): void {
  const today = dayOf(now)
  if (today === counter.today) return
  const isSameMonth = startOf('month', today) === startOf('month', counter.today)
  counter.today = today
  counter.own.day = noSums()
  counter.others.day = noSums()
  if (isSameMonth) return
  counter.own.month = noSums()
  counter.others.month = noSums()
  counter.alerted.clear()
}

export function usedTokens(counter: BudgetCounter, period: Period): number {
  return counter.own[period].tokens + counter.others[period].tokens
}

export function usedMoney(counter: BudgetCounter, period: Period, currency: string): bigint {
  return (counter.own[period].money.get(currency) ?? 0n) + (counter.others[period].money.get(currency) ?? 0n)
}
