import { fail, skip } from './case.ts'
import type { AttackCase, Verdict } from './case.ts'
import type { Target } from './target.ts'

export interface Result extends Verdict {
  id: string
  rule: string
  expects: string
}

export interface RunOptions {
  /** Leaves out what may leave something behind. */
  readOnly?: boolean
  told?: (result: Result) => void
}

/** One attack after the other, so that none is blamed for another's load. One that throws has failed. */
export async function runAttacks(
  target: Target,
  cases: readonly AttackCase[],
  { readOnly = false, told = () => undefined }: RunOptions = {},
): Promise<Result[]> {
  const results: Result[] = []
  for (const attack of cases) {
    const { id, rule, expects } = attack
    const verdict = readOnly && attack.writes ? skip('it writes: --read-only') : await attempt(attack, target)
    const result = { id, rule, expects, ...verdict }
    results.push(result)
    told(result)
  }
  return results
}

async function attempt(attack: AttackCase, target: Target): Promise<Verdict> {
  try {
    return await attack.run(target)
  } catch (error) {
    return fail(`it could not be asked: ${error instanceof Error ? error.message : String(error)}`)
  }
}
