import { skip } from '../case.ts'
import type { Verdict } from '../case.ts'
import type { Json } from '../forger.ts'
import { bearer, eachRefused } from '../judge.ts'
import type { Target } from '../target.ts'

export type Forgery = readonly [what: string, token: string]

/** Sends each token; `none` is why there may be none. */
export const forgeries =
  (build: (target: Target) => readonly Forgery[], none = 'nothing to forge with') =>
  (target: Target): Promise<Verdict> => {
    const all = build(target)
    if (all.length === 0) return Promise.resolve(skip(none))
    return eachRefused(
      target,
      all.map(([what, token]) => [what, bearer(token)] as const),
    )
  }

/** The header with which one in possession of a trusted key would sign. */
export const headed = ({ model }: Target, members: Json): Json => ({ ...model.header, ...members })
