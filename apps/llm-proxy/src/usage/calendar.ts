export type Period = 'day' | 'month'

const DAY_MS = 86_400_000

let known = { number: NaN, day: '' }

/** The day in UTC, YYYY-MM-DD, of a time in milliseconds since 1970. */
export function dayOf(at: number): string {
  const number = Math.floor(at / DAY_MS)
  // Nearly every call asks for the same day; making its text costs more than all the rest.
  if (number !== known.number) known = { number, day: new Date(number * DAY_MS).toISOString().slice(0, 10) }
  return known.day
}

/** The first day of the period that `day` is in. */
export function startOf(period: Period, day: string): string {
  return period === 'day' ? day : `${day.slice(0, 7)}-01`
}

/** When the period that `at` is in ends, in milliseconds since 1970. */
export function endOf(period: Period, at: number): number {
  const date = new Date(at)
  return period === 'day'
    ? (Math.floor(at / DAY_MS) + 1) * DAY_MS
    : Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1)
}
