import { inWords } from '../answers.ts'
import { fail, pass } from '../case.ts'
import type { AttackCase, Verdict } from '../case.ts'
import { unsigned } from '../forger.ts'
import { challengeOf, eachRefused, needsToken } from '../judge.ts'
import type { Target } from '../target.ts'
import type { RawRequest } from '../wire.ts'

const auth = (value: string): RawRequest => ({ headers: [`Authorization: ${value}`] })

/** A good token when there is one, else one that looks like it. */
const tokenFor = ({ token, model }: Target): string =>
  token ?? `${unsigned(model.header, model.payload)}.${'A'.repeat(86)}`

/** Each value as the Authorization header. */
const values =
  (build: (token: string) => readonly string[]) =>
  (target: Target): Promise<Verdict> =>
    eachRefused(
      target,
      build(tokenFor(target)).map(
        (value) => [value.replaceAll(tokenFor(target), '<token>'), auth(value)] as const,
      ),
    )

/** The credential in places where nobody may look for one. */
const elsewhere =
  (build: (token: string, target: Target) => readonly RawRequest[]) =>
  async (target: Target): Promise<Verdict> =>
    needsToken(target) ??
    eachRefused(
      target,
      build(tokenFor(target), target).map((request, at) => [`way ${at + 1}`, request] as const),
    )

const withQuery = (path: string, query: string): string => `${path}${path.includes('?') ? '&' : '?'}${query}`

export const credentialCases: AttackCase[] = [
  {
    id: 'credentials/none',
    rule: 'RFC 6750 section 3.1, RFC 9110 section 11.6.1',
    expects: '401, WWW-Authenticate without error=',
    async run(target) {
      const answer = await target.send()
      if (answer.status !== 401) return fail(inWords(answer))
      const challenge = challengeOf(answer)
      if (!challenge) return fail('401 without WWW-Authenticate')
      return /\berror=/.test(challenge)
        ? fail(`401 with ${challenge}`)
        : pass(`401, ${challenge}`.slice(0, 60))
    },
  },
  {
    id: 'credentials/garbage-bearer',
    rule: 'RFC 6750 section 3',
    expects: '401 with WWW-Authenticate',
    async run(target) {
      const answer = await target.send(auth('Bearer garbage'))
      return answer.status === 401 && challengeOf(answer) ? pass(inWords(answer)) : fail(inWords(answer))
    },
  },
  {
    id: 'credentials/empty',
    rule: 'RFC 6750 section 2.1',
    expects: '401 or 400',
    run: values(() => [
      'Bearer',
      'Bearer ',
      '',
      'bearer',
      ' ',
      'Bearer null',
      'Bearer undefined',
      'Bearer true',
    ]),
  },
  {
    id: 'credentials/other-schemes',
    rule: 'RFC 9110 section 11.4',
    expects: '401 or 400',
    run: values((token) => [
      ...['Basic YWRtaW46YWRtaW4=', 'Basic Og==', 'Negotiate YII=', 'Digest username="admin"'],
      ...[`Token ${token}`, `JWT ${token}`, token, `Basic ${Buffer.from(`x:${token}`).toString('base64')}`],
    ]),
  },
  {
    id: 'credentials/scheme-tricks',
    rule: 'RFC 6750 section 2.1: b64token',
    expects: '401 or 400',
    run: values((token) => [
      ...[
        `Bearer Bearer ${token}`,
        `Bearer${token}`,
        `Bearer: ${token}`,
        `Bearer=${token}`,
        `Bearer "${token}"`,
      ],
      ...[`Bearer ${token}, Bearer ${token}`, `Basic Og==, Bearer ${token}`, `Bearer ${token} admin`],
      ...[`XBearer ${token}`, `Bearer\u00a0${token}`, `Bearer ${token};role=admin`],
    ]),
  },
  {
    id: 'credentials/two-authorizations',
    rule: 'RFC 9110 section 5.3: Authorization is no list',
    expects: '400 or 401',
    run: (target) => {
      const good = `Authorization: Bearer ${tokenFor(target)}`
      return eachRefused(target, [
        ['good, garbage', { headers: [good, 'Authorization: Bearer garbage'] }],
        ['garbage, good', { headers: ['Authorization: Bearer garbage', good] }],
        ['the same twice', { headers: [good, good] }],
        ['Basic, good', { headers: ['authorization: Basic Og==', good] }],
      ])
    },
  },
  {
    id: 'credentials/two-kinds',
    rule: 'RFC 6750 section 2: one method only',
    expects: '400 or 401',
    run: (target) => {
      const good = `Authorization: Bearer ${tokenFor(target)}`
      const key = `X-API-Key: ${target.apiKey ?? `wb_${'0'.repeat(36)}`}`
      return eachRefused(target, [
        ['token and key', { headers: [good, key] }],
        ['key and token', { headers: [key, good] }],
        ['two keys', { headers: [key, key] }],
      ])
    },
  },
  {
    id: 'credentials/in-the-query',
    rule: 'RFC 9700 section 4.3.2',
    expects: '401: a token in a URL is in every log',
    run: elsewhere((token, { guarded: { path } }) =>
      ['access_token', 'token', 'jwt', 'auth', 'authorization', 'api_key', 'key', 'id_token', 'bearer'].map(
        (name) => ({
          path: withQuery(path, `${name}=${token}`),
        }),
      ),
    ),
  },
  {
    id: 'credentials/in-other-places',
    rule: 'RFC 6750 section 2',
    expects: '401: only where it is documented',
    run: elsewhere((token) => [
      ...['X-Access-Token', 'X-Auth-Token', 'X-Authorization', 'X-Token', 'Token', 'X-JWT-Assertion'].map(
        (name) => ({
          headers: [`${name}: ${token}`],
        }),
      ),
      { headers: [`Proxy-Authorization: Bearer ${token}`] },
      { headers: [`X-Original-Authorization: Bearer ${token}`] },
      { headers: [`X-Forwarded-Authorization: Bearer ${token}`] },
      { headers: [`X_Authorization: Bearer ${token}`] },
      {
        headers: [
          `Cookie: token=${token}; access_token=${token}; jwt=${token}; Authorization=Bearer ${token}`,
        ],
      },
    ]),
  },
  {
    id: 'credentials/api-key-by-guess',
    rule: 'CWE-1188, CWE-798: no default keys',
    expects: '401 or 400',
    run: (target) =>
      eachRefused(
        target,
        [
          '',
          'null',
          'test',
          'admin',
          'changeme',
          '*',
          "' OR '1'='1",
          '../../etc/passwd',
          `wb_${'0'.repeat(36)}`,
        ].map((key) => [key, { headers: [`X-API-Key: ${key}`] }] as const),
      ),
  },
]
