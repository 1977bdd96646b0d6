import { Problem } from '@waybill/service-kit'
import type { NewBudget } from '../src/usage/budget-store.ts'
import type { MeteredCall, MeteredRun } from '../src/usage/meter.ts'
import type { Usage } from '../src/usage/usage.ts'
import { answered, userOf } from './usage-setting.ts'

export const NOON = Date.parse('2026-11-25T12:00:00Z')
export const DAY_MS = 86_400_000

/** The clock of a test, in milliseconds. */
export class Clock {
  at = NOON
  readonly now = (): number => this.at
}

let users = 0
/** Another user each time. */
export const somebody = () => `user-${(users += 1)}`

/** Sets a budget of the user's own. */
export const set = (usage: Usage, userId: string, budget: NewBudget, period: 'day' | 'month' = 'day') =>
  usage.budgets.set(userOf(userId), { userId, period, setBy: 'user' }, budget)

/** So many calls at once: those that were let in, and why the others were not. */
export async function crowd(usage: Usage, call: MeteredCall, size: number) {
  const results = await Promise.allSettled(Array.from({ length: size }, () => usage.meter.begin(call)))
  const runs = results.flatMap((one): MeteredRun[] => (one.status === 'fulfilled' ? [one.value] : []))
  const refusals = results.flatMap((one) => (one.status === 'rejected' ? [one.reason as Problem] : []))
  return { runs, reasons: [...new Set(refusals.map(({ extensions }) => extensions.reason))] }
}

/** Why the call was not let in. @throws Error when it was */
export async function refusalOf(usage: Usage, call: MeteredCall): Promise<Problem> {
  const refused: unknown = await usage.meter.begin(call).catch((error: unknown) => error)
  if (refused instanceof Problem) return refused
  throw new Error('it was let in')
}

/** Makes a call that uses so many tokens. */
export const use = async (usage: Usage, call: MeteredCall, input: number, output: number) => {
  const run = await usage.meter.begin(call)
  run.end(answered(input, output))
}
