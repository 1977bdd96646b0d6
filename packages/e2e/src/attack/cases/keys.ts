import type { AttackCase } from '../case.ts'
import { publicJwk, signedEs256, signedHs256 } from '../forger.ts'
import type { Target } from '../target.ts'
import { forgeries, headed } from './forgeries.ts'
import type { Forgery } from './forgeries.ts'

/** Signed by the forger, and naming where the forger's key is to be fetched. */
function pointed(target: Target, member: string, value: (url: string) => unknown): Forgery {
  const header = headed(target, { alg: 'ES256', [member]: value(`${target.trap.url}/${member}`) })
  return [member, signedEs256(header, target.model.payload, target.forger)]
}

/** Tokens that bring their own key, or say where it is. */
export const keyCases: AttackCase[] = [
  {
    id: 'keys/own-key',
    rule: 'RFC 8725 section 3.10',
    expects: '401',
    run: forgeries((target) =>
      [target.model.header.kid, 'forger', undefined].map((kid) => {
        const header = headed(target, { alg: 'ES256', kid })
        return [`kid ${String(kid)}`, signedEs256(header, target.model.payload, target.forger)]
      }),
    ),
  },
  {
    id: 'keys/key-in-the-header',
    rule: 'RFC 8725 section 3.10, CVE-2018-0114',
    expects: '401',
    run: forgeries((target) => {
      const jwk = publicJwk(target.forger)
      const der = target.forger.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
      return [
        { jwk },
        { jwk, kid: jwk.kid },
        { jwk, kid: undefined },
        { x5c: [der] },
        { x5t: 'AAAA', jwk },
      ].map((members) => [
        Object.keys(members).join('+'),
        signedEs256(headed(target, { alg: 'ES256', ...members }), target.model.payload, target.forger),
      ])
    }),
  },
  {
    id: 'keys/key-by-reference',
    rule: 'RFC 8725 section 3.10: jku, x5u; OWASP API7 (SSRF)',
    expects: '401, and nobody comes to fetch the key',
    async run(target) {
      const before = target.trap.visits.length
      const verdict = await forgeries(() => [
        pointed(target, 'jku', (url) => url),
        pointed(target, 'x5u', (url) => url),
        pointed(target, 'jwks_uri', (url) => url),
        pointed(target, 'kid', (url) => url),
        pointed(target, 'iss', (url) => url),
        [
          'iss',
          signedEs256(headed(target, {}), { ...target.model.payload, iss: target.trap.url }, target.forger),
        ],
      ])(target)
      const visits = target.trap.visits.slice(before)
      return visits.length > 0 ? { outcome: 'fail', got: `it asked for ${visits[0] ?? ''}` } : verdict
    },
  },
  {
    id: 'keys/kid-injection',
    rule: 'RFC 8725 section 3.10, CWE-22, CWE-89, CWE-78, CWE-1321',
    expects: '401 or 400, never a failure',
    run: forgeries((target) =>
      [
        ...[
          '../../../../dev/null',
          '/dev/null',
          'file:///dev/null',
          "' UNION SELECT 'secret' --",
          "x'; DROP TABLE keys; --",
        ],
        ...[
          '|sleep 0',
          '$(id)',
          '`id`',
          '__proto__',
          'constructor',
          'prototype',
          'toString',
          'hasOwnProperty',
          'valueOf',
        ],
        ...[
          'k\u0000',
          '\u0000',
          'k\r\nX-Injected: 1',
          'k'.repeat(4_000),
          '',
          '*',
          '{"$ne":null}',
          '${jndi:ldap://x}',
          '../keys/x',
        ],
        ...[null, 0, -1, true, [], ['k'], {}, { $ne: null }],
      ].flatMap((kid) => {
        const what = JSON.stringify(kid).slice(0, 30)
        return [
          [
            `${what}, empty HMAC key`,
            signedHs256(headed(target, { alg: 'HS256', kid }), target.model.payload, ''),
          ],
          [
            `${what}, HMAC key "secret"`,
            signedHs256(headed(target, { alg: 'HS256', kid }), target.model.payload, 'secret'),
          ],
          [
            `${what}, own key`,
            signedEs256(headed(target, { alg: 'ES256', kid }), target.model.payload, target.forger),
          ],
        ] satisfies Forgery[]
      }),
    ),
  },
  {
    id: 'keys/critical-headers',
    rule: 'RFC 7515 section 4.1.11, RFC 7797',
    expects: '401',
    run: forgeries((target) =>
      [
        { crit: ['exp'] },
        { crit: [] },
        { crit: 'b64' },
        { crit: ['b64'], b64: false },
        { b64: false },
        { zip: 'DEF' },
        { enc: 'A128GCM' },
        { crit: ['x-unknown'], 'x-unknown': true },
        { cty: 'JWT' },
      ].map((members) => [
        JSON.stringify(members),
        signedEs256(headed(target, { alg: 'ES256', ...members }), target.model.payload, target.forger),
      ]),
    ),
  },
]
