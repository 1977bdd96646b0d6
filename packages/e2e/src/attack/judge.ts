import { headerOf, inWords } from './answers.ts'
import type { Answer } from './answers.ts'
import { fail, pass, skip, worst } from './case.ts'
import type { Verdict } from './case.ts'
import type { Target } from './target.ts'
import type { RawRequest } from './wire.ts'

/** What says no to a credential or to a malformed request, whatever the reason. */
const REFUSALS = new Set([400, 401, 413, 414, 431])

/** Whether `answer` refuses to say who is there. Too many requests proves neither. */
export function mustBeRefused(answer: Answer, what = ''): Verdict {
  const got = `${inWords(answer)}${what ? ` for ${what}` : ''}`
  if (answer.status === 429) return skip(`rate limited${what ? ` at ${what}` : ''}`)
  // A connection that is closed without a word has let nothing through.
  return REFUSALS.has(answer.status) || answer.status === 0 ? pass(got) : fail(got)
}

/** Whether nothing that is guarded has been given away: any answer but a success will do. */
export function mustNotOpen(target: Target, answer: Answer, what = ''): Verdict {
  const got = `${inWords(answer)}${what ? ` for ${what}` : ''}`
  if (answer.status >= 500 && answer.status !== 501 && answer.status !== 505) return fail(got)
  const opened = answer.status >= 200 && answer.status < 300
  return opened && !isTheUsualPage(target, answer) ? fail(got) : pass(got)
}

/** Some servers have one page for every path, existing or not. */
function isTheUsualPage({ nowhere }: Target, answer: Answer): boolean {
  return nowhere.status >= 200 && nowhere.status < 300 && nowhere.body === answer.body
}

/** Sends each request, and judges the worst answer. */
export async function eachRefused(
  target: Target,
  requests: readonly (readonly [what: string, request: RawRequest])[],
): Promise<Verdict> {
  const verdicts: Verdict[] = []
  for (const [what, request] of requests) {
    verdicts.push(mustBeRefused(await target.send(request), requests.length > 1 ? what : ''))
  }
  return summed(verdicts)
}

/** The worst verdict; when all passed, how many there were. */
export function summed(verdicts: readonly Verdict[]): Verdict {
  const sum = worst(verdicts)
  if (sum.outcome !== 'pass' || verdicts.length === 1) return sum
  const passed = verdicts.filter(({ outcome }) => outcome === 'pass')
  const skipped = verdicts.length - passed.length
  const answers = [...new Set(passed.map(({ got }) => got.split(' ')[0]))].join(', ')
  return pass(`${answers} for ${passed.length} variants${skipped ? `, ${skipped} not tried` : ''}`)
}

export const bearer = (token: string): RawRequest => ({ headers: [`Authorization: Bearer ${token}`] })

/** The good token, or the reason why there is none. */
export function needsToken(target: Target): Verdict | undefined {
  if (target.token !== undefined) return undefined
  return skip(target.tokenTrouble ?? 'needs a good token: --token')
}

export function challengeOf(answer: Answer): string {
  return headerOf(answer, 'www-authenticate') ?? ''
}
