import { skip } from '../case.ts'
import type { AttackCase, Verdict } from '../case.ts'
import { derSignature, encode, signedEs256 } from '../forger.ts'
import { bearer, eachRefused, needsToken } from '../judge.ts'
import type { Target } from '../target.ts'
import type { RawRequest } from '../wire.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.split('')

type Variant = readonly [what: string, request: RawRequest]

/** Other spellings of a token that is good: each must be refused, or caches and deny-lists by text can be walked around. */
const spelled =
  (build: (parts: [string, string, string]) => readonly (readonly [string, string])[]) =>
  async (target: Target): Promise<Verdict> => {
    const missing = needsToken(target)
    if (missing) return missing
    const [header, payload, signature, ...rest] = (target.token ?? '').split('.')
    if (!header || !payload || !signature || rest.length > 0) return skip('the token is no JWT')
    const variants = build([header, payload, signature])
    if (variants.length === 0) return skip('this token has no spare bits')
    return eachRefused(
      target,
      variants.map(([what, token]): Variant => [what, bearer(token)]),
    )
  }

/** Every other last character that decodes to the same bytes. */
function otherEndings(part: string): string[] {
  const bytes = Buffer.from(part, 'base64url')
  return ALPHABET.map((last) => part.slice(0, -1) + last).filter(
    (other) => other !== part && Buffer.from(other, 'base64url').equals(bytes),
  )
}

const inPlace = (parts: readonly string[], at: number, part: string): string =>
  parts.map((held, index) => (index === at ? part : held)).join('.')

const NAMES = ['header', 'payload', 'signature']

export const spellingCases: AttackCase[] = [
  {
    id: 'spelling/spare-bits',
    rule: 'RFC 4648 section 3.5, RFC 8725 section 3.3',
    expects: '401',
    run: spelled((parts) =>
      parts.flatMap((part, at) =>
        otherEndings(part).map((other) => [
          `${NAMES[at] ?? ''} ending in ${other.slice(-1)}`,
          inPlace(parts, at, other),
        ]),
      ),
    ),
  },
  {
    id: 'spelling/padding',
    rule: 'RFC 7515 section 2: no padding',
    expects: '401',
    run: spelled((parts) =>
      parts.flatMap((part, at) =>
        ['=', '==', '%3D'].map((pad) => [
          `${pad} after the ${NAMES[at] ?? ''}`,
          inPlace(parts, at, part + pad),
        ]),
      ),
    ),
  },
  {
    id: 'spelling/white-space',
    rule: 'RFC 7515 section 2: no white space',
    expects: '401 or 400',
    run: spelled((parts) =>
      [' ', '\t', '\u00a0', '\v', '%20', '+', '%0A', '\\n'].flatMap((space) =>
        parts.flatMap((part, at) => [
          [
            `${JSON.stringify(space)} inside the ${NAMES[at] ?? ''}`,
            inPlace(parts, at, part.slice(0, 4) + space + part.slice(4)),
          ],
          ...(at < 2
            ? [
                [
                  `${JSON.stringify(space)} after the ${NAMES[at] ?? ''}`,
                  inPlace(parts, at, part + space),
                ] as const,
              ]
            : []),
        ]),
      ),
    ),
  },
  {
    id: 'spelling/other-alphabet',
    rule: 'RFC 7515 section 2: base64url',
    expects: '401 or 400',
    run: spelled((parts) => {
      const plain = parts.map((part) => part.replaceAll('-', '+').replaceAll('_', '/')).join('.')
      const signature = Buffer.from(parts[2], 'base64url')
      return [
        ...(plain === parts.join('.') ? [] : [['base64', plain] as const]),
        ['hexadecimal signature', inPlace(parts, 2, signature.toString('hex'))],
        ['ignored characters', inPlace(parts, 2, `${parts[2].slice(0, 8)}!*~${parts[2].slice(8)}`)],
        ['percent-encoded dots', parts.join('%2E')],
      ]
    }),
  },
  {
    id: 'spelling/der-signature',
    rule: 'RFC 7518 section 3.4: R and S side by side',
    expects: '401',
    run: (target) => {
      if (target.model.header.alg !== 'ES256')
        return Promise.resolve(needsToken(target) ?? skip('the token is not ES256'))
      return spelled((parts) => {
        const raw = Buffer.from(parts[2], 'base64url')
        return [
          ['DER', inPlace(parts, 2, derSignature(raw).toString('base64url'))],
          ['a zero before', inPlace(parts, 2, Buffer.concat([Buffer.of(0), raw]).toString('base64url'))],
          ['a zero after', inPlace(parts, 2, Buffer.concat([raw, Buffer.of(0)]).toString('base64url'))],
          ['cut short', inPlace(parts, 2, raw.subarray(0, 63).toString('base64url'))],
        ]
      })(target)
    },
  },
  {
    id: 'spelling/number-of-parts',
    rule: 'RFC 7515 section 7.1',
    expects: '401 or 400',
    run: spelled(([header, payload, signature]) => [
      ['four parts', `${header}.${payload}.${signature}.x`],
      ['an empty fourth part', `${header}.${payload}.${signature}.`],
      ['five parts', `${header}.${payload}.${signature}..`],
      ['an empty first part', `.${header}.${payload}.${signature}`],
      ['two parts', `${header}.${payload}`],
      ['no header', `.${payload}.${signature}`],
      ['no payload', `${header}..${signature}`],
      ['no signature', `${header}.${payload}.`],
      ['dots only', '..'],
    ]),
  },
  {
    id: 'spelling/payloads',
    rule: 'RFC 7519 section 7.2: one JSON object, no member twice',
    expects: '401 or 400, never a failure',
    run: (target) => {
      const claims = JSON.stringify(target.model.payload)
      const payloads = [
        ...[
          'null',
          '[]',
          '"admin"',
          '0',
          'true',
          '',
          '{',
          '{}{}',
          `${claims} `,
          `[${claims}]`,
          '\ufeff{}',
          '\u0000',
          '{"sub":"\\ud800"}',
        ],
        ...[
          `{"sub":"admin",${claims.slice(1)}`,
          `${claims.slice(0, -1)},"sub":"admin"}`,
          `{"__proto__":{"admin":true}}`,
        ],
        ...[
          '{"sub":{"$ne":null}}',
          '{"sub":["admin"]}',
          '{"exp":"never"}',
          '{"exp":1e400}',
          '{"exp":-1}',
          '['.repeat(3_000),
        ],
      ]
      return eachRefused(
        target,
        payloads.map((payload): Variant => [
          payload.slice(0, 24),
          bearer(signedEs256({ ...target.model.header, alg: 'ES256' }, payload, target.forger)),
        ]),
      )
    },
  },
  {
    id: 'spelling/headers',
    rule: 'RFC 7515 section 4, RFC 8725 section 3.11',
    expects: '401 or 400, never a failure',
    run: (target) => {
      const payload = encode(target.model.payload)
      const headers = [
        ...[
          'null',
          '[]',
          '"ES256"',
          '',
          '{',
          '{"alg":"ES256","alg":"none"}',
          '{"alg":"none","alg":"ES256"}',
          '{"__proto__":{"alg":"none"}}',
        ],
        ...[
          '{"ALG":"none","alg":"ES256"}',
          '{"alg":"ES256","typ":"JWE"}',
          '{"alg":"ES256","typ":"refresh+jwt"}',
          '\u0000',
          '{"alg":"\\u006eone"}',
        ],
      ]
      return eachRefused(
        target,
        headers.flatMap((header): Variant[] => [
          [header, bearer(`${encode(header)}.${payload}.`)],
          [header, bearer(`${encode(header)}.${payload}.AAAA`)],
        ]),
      )
    },
  },
  {
    id: 'spelling/huge-tokens',
    rule: 'CWE-400',
    expects: '401, 400 or 431',
    run: (target) =>
      eachRefused(
        target,
        [9_000, 15_000, 40_000, 200_000].map((size): Variant => [
          `${size} characters`,
          bearer(`${encode(target.model.header)}.${'A'.repeat(size)}.AAAA`),
        ]),
      ),
  },
]
