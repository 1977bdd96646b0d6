import type { Target } from './target.ts'

/** `skipped` is for what could not be tried, and is never a pass. */
export interface Verdict {
  outcome: 'pass' | 'fail' | 'skipped'
  /** What came, or why nothing was tried. */
  got: string
}

/** One attack on a running service, as data. */
export interface AttackCase {
  /** `family/what`, unique. */
  id: string
  /** The rule that a service breaks when this goes through. */
  rule: string
  /** What a sound service does. */
  expects: string
  /** It may leave something behind, an account for instance. */
  writes?: boolean
  run(target: Target): Promise<Verdict>
}

export const pass = (got: string): Verdict => ({ outcome: 'pass', got })
export const fail = (got: string): Verdict => ({ outcome: 'fail', got })
export const skip = (why: string): Verdict => ({ outcome: 'skipped', got: why })

/** The first that failed; else the first that was not tried, when none passed; else the first. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  const first = (outcome: Verdict['outcome']) => verdicts.find((verdict) => verdict.outcome === outcome)
  return first('fail') ?? first('pass') ?? first('skipped') ?? skip('there was nothing to try')
}
