import type { AttackCase } from '../case.ts'
import { keyBytes, signedHs256, takeApart, unsigned } from '../forger.ts'
import { forgeries, headed } from './forgeries.ts'

const NONES = ['none', 'None', 'NONE', 'nOnE', 'nonE', ' none', 'none ', '', 'null', 'HS0']
const WEAK_SECRETS = [
  ...[
    'secret',
    'password',
    'changeme',
    'change-me',
    'jwt_secret',
    'your-256-bit-secret',
    'your-secret-key',
    'test',
  ],
  ...[
    'your-very-secure-secret-key-change-this',
    'supersecret',
    'development',
    'default',
    'admin',
    '123456',
    '',
    ' ',
  ],
]

/** Tokens that choose how they are to be verified. */
export const algorithmCases: AttackCase[] = [
  {
    id: 'algorithms/alg-none',
    rule: 'RFC 8725 section 3.2, CVE-2015-9235',
    expects: '401',
    run: forgeries((target) =>
      NONES.flatMap((alg) => {
        const input = unsigned(headed(target, { alg }), target.model.payload)
        const signature = takeApart(target.token ?? '')?.signature ?? 'AAAA'
        return [
          [`${alg || 'empty'}, no signature`, `${input}.`] as const,
          [`${alg || 'empty'}, two parts`, input] as const,
          [`${alg || 'empty'}, a signature`, `${input}.${signature}`] as const,
        ]
      }),
    ),
  },
  {
    id: 'algorithms/alg-missing-or-odd',
    rule: 'RFC 7515 section 4.1.1',
    expects: '401',
    run: forgeries((target) =>
      [
        undefined,
        null,
        0,
        true,
        [],
        ['ES256'],
        ['none'],
        {},
        'ES256K',
        'dir',
        'A128KW',
        'PBES2-HS256+A128KW',
      ].map((alg) => [
        JSON.stringify(alg),
        `${unsigned(headed(target, { alg }), target.model.payload)}.AAAA`,
      ]),
    ),
  },
  {
    id: 'algorithms/public-key-as-hmac-secret',
    rule: 'RFC 8725 section 2.1, CVE-2016-10555',
    expects: '401',
    run: forgeries(
      (target) =>
        target.keys.flatMap((jwk) =>
          keyBytes(jwk).flatMap(([name, bytes]) =>
            [jwk.kid, undefined].map((kid) => {
              const header = headed(target, { alg: 'HS256', ...(kid !== undefined && { kid }) })
              return [name, signedHs256(header, target.model.payload, bytes)] as const
            }),
          ),
        ),
      'needs the public keys: --jwks',
    ),
  },
  {
    id: 'algorithms/weak-hmac-secrets',
    rule: 'RFC 8725 section 3.5, RFC 7518 section 3.2',
    expects: '401',
    run: forgeries((target) =>
      WEAK_SECRETS.map((secret) => [
        `"${secret}"`,
        signedHs256(headed(target, { alg: 'HS256' }), target.model.payload, secret),
      ]),
    ),
  },
]
