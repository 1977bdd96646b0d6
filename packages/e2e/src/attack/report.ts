import type { Result } from './run.ts'

const MARKS = { pass: 'pass', fail: 'FAIL', skipped: 'skip' } as const

/** One line for each attack, in columns, and what it comes to. */
export function table(results: readonly Result[]): string {
  const rows = [
    ['', 'attack', 'what came', 'expected', 'rule'],
    ...results.map(({ id, rule, expects, outcome, got }) => [MARKS[outcome], id, got, expects, rule]),
  ].map((row) => row.map(printable))
  const widths = [0, 1, 2, 3].map((at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  const text = rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const { pass, fail, skipped } = counts(results)
  return `${text.join('\n')}\n\n${pass} passed, ${fail} failed, ${skipped} not tried`
}

export function counts(results: readonly Result[]): Record<Result['outcome'], number> {
  const count = (outcome: Result['outcome']) => results.filter((result) => result.outcome === outcome).length
  return { pass: count('pass'), fail: count('fail'), skipped: count('skipped') }
}

/** What a service said may hold what a terminal obeys. */
function printable(cell: string): string {
  return cell.replace(/[^\x20-\x7e]/g, '?').slice(0, 90)
}
