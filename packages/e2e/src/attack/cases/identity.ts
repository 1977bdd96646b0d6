import { inWords } from '../answers.ts'
import type { Answer } from '../answers.ts'
import { fail, pass, skip } from '../case.ts'
import type { AttackCase, Verdict } from '../case.ts'
import { takeApart } from '../forger.ts'
import { eachRefused, needsToken, summed } from '../judge.ts'
import type { Target } from '../target.ts'

/** Who the attacker would like to be when no other user is known. */
const CANARY = 'wb-attack-somebody-else'

const NAMES = [
  ...[
    'X-User-ID',
    'X-User',
    'X-Username',
    'X-User-Email',
    'X-User-Role',
    'X-Role',
    'X-Tenant-ID',
    'X-Workspace-ID',
  ],
  ...[
    'X-Service-Name',
    'X-Service-Secret',
    'X-Authenticated-User',
    'X-Authenticated-Userid',
    'X-Remote-User',
    'Remote-User',
  ],
  ...[
    'X-Forwarded-User',
    'X-Forwarded-Email',
    'X-Auth-User',
    'X-Auth-Request-User',
    'X-Auth-Request-Email',
    'X-Auth-Via',
  ],
  ...[
    'X-Consumer-ID',
    'X-Credential-Identifier',
    'X-Client-Cert',
    'X-Forwarded-Client-Cert',
    'X-SSL-Client-Verify',
    'Ssl-Client-Cert',
  ],
  ...[
    'Txn-Token',
    'X-MS-Client-Principal',
    'X-Goog-Authenticated-User-Email',
    'X-Amzn-Oidc-Identity',
    'X-Admin',
    'X-Internal',
  ],
]

/** The ways of writing one header that some parsers take for the same, and others do not. */
function spellings(name: string, value: string): string[][] {
  return [
    [`${name}: ${value}`],
    [`${name.toLowerCase()}: ${value}`],
    [`${name.toUpperCase()}: ${value}`],
    [`${name.replaceAll('-', '_')}: ${value}`],
    [`${name.toUpperCase().replaceAll('-', '_')}: ${value}`],
    [`${name.replace(/-(?=[^-]*$)/, '_')}: ${value}`],
    [`${name}:`, `${name}: ${value}`],
    [`${name}: nobody`, `${name}: ${value}`],
    [`${name}: ${value}`, `Connection: ${name}`],
    [`Connection: close, ${name}`, `${name.replaceAll('-', '_')}: ${value}`],
    [`${name}: ${value}, nobody`],
  ]
}

const SPELLED = ['X-User-ID', 'X-Tenant-ID', 'X-Service-Name']

/** All headers that name somebody, in lists of lines. */
const claims = (value: string): string[][] => [
  ...SPELLED.flatMap((name) => spellings(name, value)),
  ...NAMES.map((name) => [`${name}: ${value}`]),
]

const subjectOf = (token: string | undefined): string | undefined => {
  const sub = takeApart(token ?? '')?.payload.sub
  return typeof sub === 'string' ? sub : undefined
}

/** What differs from answer to answer for no reason that matters: request ids, trace ids, times. */
const settled = (answer: Answer): string =>
  answer.body
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}|[0-9a-f]{16}/gi, 'ID')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z?/g, 'TIME')

export const identityCases: AttackCase[] = [
  {
    id: 'identity/headers-instead-of-a-credential',
    rule: 'OWASP ASVS 5.0 4.1.3, CWE-290',
    expects: '401, whatever headers say',
    run: (target) =>
      eachRefused(
        target,
        ['admin', '1', subjectOf(target.token) ?? CANARY].flatMap((value) =>
          claims(value).map((headers) => [headers.join(' + '), { headers }] as const),
        ),
      ),
  },
  {
    id: 'identity/headers-beside-a-credential',
    rule: 'OWASP ASVS 5.0 4.1.3, CWE-290',
    expects: 'the same answer as without them, or 401 or 400',
    async run(target) {
      const missing = needsToken(target)
      if (missing) return missing
      const other = subjectOf(target.otherToken) ?? CANARY
      const good = `Authorization: Bearer ${target.token ?? ''}`
      const [plain, again] = [await target.send({ headers: [good] }), await target.send({ headers: [good] })]
      const comparable = settled(plain) === settled(again)
      const verdicts: Verdict[] = []
      for (const headers of claims(other)) {
        const answer = await target.send({ headers: [good, ...headers] })
        verdicts.push(judge(answer, headers.join(' + ')))
      }
      return summed(verdicts)

      function judge(answer: Answer, what: string): Verdict {
        if (answer.status === 429) return skip('rate limited')
        if (answer.status === 400 || answer.status === 401) return pass(inWords(answer))
        if (answer.status !== plain.status) return fail(`${inWords(answer)} for ${what}`)
        if (answer.body.includes(other) && !plain.body.includes(other))
          return fail(`another identity for ${what}`)
        if (comparable && settled(answer) !== settled(plain)) return fail(`another answer for ${what}`)
        return pass(inWords(answer))
      }
    },
  },
  {
    id: 'identity/connection-takes-the-credential-away',
    rule: 'RFC 9110 section 7.6.1',
    expects: 'the same answer as without it, or 401 or 400',
    async run(target: Target) {
      const missing = needsToken(target)
      if (missing) return missing
      const good = `Authorization: Bearer ${target.token ?? ''}`
      const plain = await target.send({ headers: [good] })
      const verdicts: Verdict[] = []
      for (const named of [
        'Authorization',
        'X-Request-ID, Authorization',
        'Host',
        'Content-Length, X-User-ID',
      ]) {
        const answer = await target.send({ headers: [good, `Connection: ${named}`] })
        const fine = answer.status === plain.status || [400, 401].includes(answer.status)
        verdicts.push((fine ? pass : fail)(`${inWords(answer)} for Connection: ${named}`))
      }
      return summed(verdicts)
    },
  },
]
