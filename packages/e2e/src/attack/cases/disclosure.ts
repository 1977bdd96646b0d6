import { headerOf, inWords } from '../answers.ts'
import type { Answer } from '../answers.ts'
import { fail, pass, skip } from '../case.ts'
import type { AttackCase, Verdict } from '../case.ts'
import { summed } from '../judge.ts'
import { has } from '../target.ts'
import type { Target } from '../target.ts'
import type { RawRequest } from '../wire.ts'

/** Stands for a secret: nothing else holds it, so wherever it turns up, it was carried there. */
const CANARY = 'wbcanary7f3a91'
const TOKENISH = `eyJhbGciOiJFUzI1NiJ9.${CANARY}.${CANARY}`

/** What only the inside of a program says. */
const INSIDE =
  /\n?\s+at \S+ ?\(?[^\n]*:\d+:\d+|node_modules|node:internal|Traceback \(most recent|\.(?:ts|py|java|go|rb):\d+\b|SQLSTATE|syntax error at or near|ECONNREFUSED|ENOENT|java\.lang\.|goroutine \d+/

const planted = ({ guarded: { path }, operations }: Target): readonly (readonly [string, RawRequest])[] => {
  const json = { 'Content-Type': 'application/json' }
  const post = (at: string, body: string, type = json['Content-Type']): RawRequest => ({
    ...{ method: 'POST', path: at, body },
    headers: [`Content-Type: ${type}`],
  })
  const bodies = operations.filter(({ method }) => method === 'POST').slice(0, 20)
  return [
    ['a bearer token', { headers: [`Authorization: Bearer ${TOKENISH}`] }],
    ['half a bearer token', { headers: [`Authorization: Bearer ${CANARY}`] }],
    ['a scheme', { headers: [`${CANARY}: x`, `Authorization: ${CANARY} x`] }],
    ['Basic', { headers: [`Authorization: Basic ${Buffer.from(`a:${CANARY}`).toString('base64')}`] }],
    ['an API key', { headers: [`X-API-Key: wb_${CANARY}`] }],
    ['two credentials', { headers: [`Authorization: Bearer ${TOKENISH}`, `X-API-Key: ${CANARY}`] }],
    ['a cookie', { headers: [`Cookie: session=${CANARY}`] }],
    ['a query', { path: `${path}?access_token=${CANARY}&password=${CANARY}` }],
    ['an identity header', { headers: [`X-User-ID: ${CANARY}`] }],
    ['a service secret', { headers: [`X-Service-Name: x`, `Authorization: Bearer ${CANARY}`] }],
    ['JSON that breaks off', post(path, `{"password":"${CANARY}"`)],
    ['JSON with a member too many', post(path, `{"password":"${CANARY}","${CANARY}":1}`)],
    ['a body of another type', post(path, `password=${CANARY}`, 'application/x-www-form-urlencoded')],
    ['a content type', post(path, '{}', CANARY)],
    ...bodies.flatMap((operation) => [
      [`broken JSON at ${operation.path}`, post(operation.path, `{"password":"${CANARY}","x":`)] as const,
      [
        `odd JSON at ${operation.path}`,
        post(operation.path, `{"password":{"a":"${CANARY}"},"refresh_token":["${CANARY}"]}`),
      ] as const,
      [
        `a form at ${operation.path}`,
        post(operation.path, `client_secret=${CANARY}&token=${CANARY}`, 'application/x-www-form-urlencoded'),
      ] as const,
    ]),
  ]
}

async function overPlanted(
  target: Target,
  judge: (answer: Answer, what: string) => Verdict,
): Promise<Verdict> {
  const verdicts: Verdict[] = []
  for (const [what, request] of planted(target)) verdicts.push(judge(await target.send(request), what))
  return summed(verdicts)
}

export const disclosureCases: AttackCase[] = [
  {
    id: 'disclosure/secrets-come-back',
    rule: 'CWE-209, RFC 9457 section 5',
    expects: 'nothing that was sent as a secret is in the answer',
    run: (target) =>
      overPlanted(target, (answer, what) =>
        answer.raw.includes(CANARY) ? fail(`${inWords(answer)} repeats ${what}`) : pass(inWords(answer)),
      ),
  },
  {
    id: 'disclosure/inside-of-the-program',
    rule: 'OWASP ASVS 5.0 16.5.1, CWE-209',
    expects: 'no stack trace, no file name, no SQL, no 500',
    run: (target) =>
      overPlanted(target, (answer, what) => {
        const found = INSIDE.exec(answer.body)?.[0]
        if (found !== undefined) return fail(`${JSON.stringify(found.trim().slice(0, 40))} for ${what}`)
        return answer.status === 500 ? fail(`500 for ${what}`) : pass(inWords(answer))
      }),
  },
  {
    id: 'disclosure/problem-documents',
    rule: 'RFC 9457',
    expects: 'a refusal is JSON, application/problem+json as a rule',
    run: (target) =>
      overPlanted(target, (answer, what) => {
        const type = headerOf(answer, 'content-type') ?? ''
        if (answer.status < 400 || answer.body === '') return pass(inWords(answer))
        return /^application\/(?:problem\+)?json\b/.test(type)
          ? pass(inWords(answer))
          : fail(`${type || 'no type'} for ${what}`)
      }),
  },
  {
    id: 'disclosure/cached-refusals',
    rule: 'RFC 9111 section 3.5, OWASP ASVS 5.0 14.3.2',
    expects: 'what depends on a credential is not stored by caches',
    async run(target) {
      const answers = [await target.send()]
      if (target.token !== undefined)
        answers.push(await target.send({ headers: [`Authorization: Bearer ${target.token}`] }))
      const open = answers.find((answer) =>
        /\bpublic\b|s-maxage/.test(headerOf(answer, 'cache-control') ?? ''),
      )
      return open ? fail(`Cache-Control: ${headerOf(open, 'cache-control') ?? ''}`) : pass('not public')
    },
  },
  {
    id: 'disclosure/software-named',
    rule: 'OWASP ASVS 5.0 13.4.6',
    expects: 'no X-Powered-By, no version in Server',
    async run(target) {
      const { headers } = await target.send()
      const told = headers.find(
        ([name, value]) => name === 'x-powered-by' || (name === 'server' && /\d/.test(value)),
      )
      return told ? fail(told.join(': ')) : pass('neither')
    },
  },
  {
    id: 'disclosure/request-id',
    rule: 'a refusal can be found again; CWE-117 for hostile ids',
    expects: 'X-Request-ID kept when it is harmless, made anew when not',
    async run(target) {
      const kept = await target.send({ headers: ['X-Request-ID: attack-1'] })
      const echoed = headerOf(kept, 'x-request-id')
      if (echoed === undefined) return skip('the service answers no X-Request-ID')
      if (echoed !== 'attack-1') return fail(`answered ${echoed.slice(0, 40)}`)
      const hostile = [
        'a b',
        '<script>',
        'x'.repeat(300),
        '${jndi:ldap://x}',
        "'; --",
        'é',
        'a, b',
        '\u001b[31m',
      ]
      const verdicts: Verdict[] = []
      for (const id of hostile) {
        const answer = await target.send({ headers: [`X-Request-ID: ${id}`] })
        const back = headerOf(answer, 'x-request-id') === id
        verdicts.push(back ? fail(`repeats ${JSON.stringify(id.slice(0, 30))}`) : pass(inWords(answer)))
      }
      return summed(verdicts)
    },
  },
  {
    id: 'disclosure/debug-pages',
    rule: 'OWASP ASVS 5.0 13.4.5',
    expects: 'no environment, heap or debug pages',
    async run(target) {
      if (has(target, 'GET', '/debug')) return skip('the service documents /debug')
      const verdicts: Verdict[] = []
      for (const path of [
        '/debug',
        '/debug/pprof/',
        '/actuator/env',
        '/actuator/heapdump',
        '/.env',
        '/.git/config',
        '/env',
        '/console',
        '/server-status',
        '/phpinfo.php',
      ]) {
        const answer = await target.send({ path })
        const opened = answer.status >= 200 && answer.status < 300 && answer.body !== target.nowhere.body
        verdicts.push(opened ? fail(`${answer.status} for ${path}`) : pass(String(answer.status)))
      }
      return summed(verdicts)
    },
  },
]
