import { randomBytes } from 'node:crypto'
import { headerOf, inWords, jsonOf } from '../answers.ts'
import type { Answer } from '../answers.ts'
import { fail, pass, skip } from '../case.ts'
import type { AttackCase, Verdict } from '../case.ts'
import { summed } from '../judge.ts'
import { has } from '../target.ts'
import type { Target } from '../target.ts'

const REGISTER = '/auth/register'
const LOGIN = '/auth/login'

const madeUp = (): string => `attack-${randomBytes(6).toString('hex')}`
const password = (): string => `${randomBytes(12).toString('base64url')}aA1!`

function post(target: Target, path: string, body: unknown): Promise<Answer> {
  return target.send({
    method: 'POST',
    path,
    body: JSON.stringify(body),
    headers: ['Content-Type: application/json'],
  })
}

const missing = (target: Target, path: string): Verdict | undefined =>
  has(target, 'POST', path) ? undefined : skip(`the service has no POST ${path}`)

/** What nobody may decide about an own account. */
const CLAIMS: Record<string, unknown>[] = [
  { role: 'admin' },
  { roles: ['admin'] },
  { is_admin: true },
  { permissions: ['*'] },
  { scope: '*' },
  { user_id: '1' },
  { id: '1' },
  { tenant_id: 'other' },
  { tier: 'premium' },
  { email_verified: true },
  { __proto__x: { role: 'admin' } },
  { constructor: { prototype: { role: 'admin' } } },
]

/** Bodies that a query of some databases would take for conditions. */
const CONDITIONS: unknown[] = [{ $ne: null }, { $gt: '' }, ['admin'], true, 0, null, { toString: 'x' }]

export const accountCases: AttackCase[] = [
  {
    id: 'accounts/role-in-the-body',
    rule: 'OWASP API3:2023, CWE-915',
    expects: '400, or an account without what it asked for',
    writes: true,
    async run(target) {
      const absent = missing(target, REGISTER)
      if (absent) return absent
      const verdicts: Verdict[] = []
      for (const claim of CLAIMS) {
        const username = madeUp()
        const account = { username, email: `${username}@example.test`, password: password() }
        const answer = await post(target, REGISTER, { ...account, ...claim })
        const [member = '', value] = Object.entries(claim)[0] ?? []
        const believed =
          answer.status < 300 && JSON.stringify(jsonOf(answer)?.[member]) === JSON.stringify(value)
        const refusedOrIgnored = believed || answer.status >= 500 ? fail : answer.status === 429 ? skip : pass
        verdicts.push(refusedOrIgnored(`${inWords(answer)} for ${member}`))
      }
      return summed(verdicts)
    },
  },
  {
    id: 'accounts/conditions-in-the-body',
    rule: 'CWE-943',
    expects: '400 or 401',
    async run(target) {
      const absent = missing(target, LOGIN)
      if (absent) return absent
      const verdicts: Verdict[] = []
      for (const odd of CONDITIONS) {
        for (const body of [
          { username: odd, password: odd },
          { username: madeUp(), password: odd },
        ]) {
          const answer = await post(target, LOGIN, body)
          const judged = [400, 401, 422].includes(answer.status) ? pass : answer.status === 429 ? skip : fail
          verdicts.push(judged(`${inWords(answer)} for ${JSON.stringify(odd)}`))
        }
      }
      return summed(verdicts)
    },
  },
  {
    id: 'accounts/enumeration-by-login',
    rule: 'OWASP ASVS 5.0 6.3.8, CWE-204',
    expects: 'one answer for an unknown name and for a wrong password',
    writes: true,
    async run(target) {
      const absent = missing(target, LOGIN) ?? missing(target, REGISTER)
      if (absent) return absent
      const username = madeUp()
      const made = await post(target, REGISTER, {
        username,
        email: `${username}@example.test`,
        password: password(),
      })
      if (made.status >= 300) return skip(`no account could be made: ${inWords(made)}`)
      const times: [known: number[], unknown: number[]] = [[], []]
      const shapes = new Set<string>()
      for (let round = 0; round < 4; round += 1) {
        for (const [at, name] of [username, madeUp()].entries()) {
          const began = performance.now()
          const answer = await post(target, LOGIN, { username: name, password: 'wrong wrong wrong' })
          times[at]?.push(performance.now() - began)
          // Who is told to wait learns nothing of the name, if both are.
          if (answer.status !== 429) shapes.add(shapeOf(answer))
        }
      }
      if (shapes.size === 0) return skip('rate limited')
      const [known, unknown] = times.map((list) => Math.round(median(list)))
      const clock = `medians ${known ?? 0} and ${unknown ?? 0} ms`
      return shapes.size === 1
        ? pass(`one answer; ${clock}`)
        : fail(`two answers: ${[...shapes].join(' / ')}`.slice(0, 120))
    },
  },
  {
    id: 'accounts/guessing-is-slowed-down',
    rule: 'OWASP ASVS 5.0 6.3.1, RFC 6585 section 4',
    expects: '429 with Retry-After',
    async run(target) {
      const absent = missing(target, LOGIN)
      if (absent) return absent
      if (target.loginTries === 0) return skip('not asked for: --login-tries')
      const username = madeUp()
      for (let tries = 1; tries <= target.loginTries; tries += 1) {
        const answer = await post(target, LOGIN, { username, password: `guess ${tries}` })
        if (answer.status !== 429) continue
        const after = headerOf(answer, 'retry-after')
        return after === undefined
          ? fail(`429 without Retry-After`)
          : pass(`429 at try ${tries}, Retry-After: ${after}`)
      }
      return fail(`${target.loginTries} wrong passwords, and no 429`)
    },
  },
]

/** An answer without what differs each time: ids, and how many tries are left. */
function shapeOf(answer: Answer): string {
  const { request_id: _id, trace_id: _trace, ...said } = jsonOf(answer) ?? { body: answer.body }
  const names = answer.headers.map(([name]) => name).filter((name) => !name.startsWith('ratelimit'))
  return `${answer.status} ${JSON.stringify(said)} ${names.sort().join()}`
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0
}
