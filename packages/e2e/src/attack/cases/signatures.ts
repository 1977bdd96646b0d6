import { skip } from '../case.ts'
import type { AttackCase } from '../case.ts'
import { takeApart, unsigned } from '../forger.ts'
import type { Json } from '../forger.ts'
import { bearer, mustBeRefused, needsToken } from '../judge.ts'
import { forgeries, headed } from './forgeries.ts'

const CLAIM_CHANGES: readonly [string, Json][] = [
  ['another user', { sub: 'admin' }],
  ['more rights', { role: 'admin', scope: '*', permissions: ['*'] }],
  ['a longer life', { exp: 32_503_680_000 }],
]

/** Signatures that are none, or are those of something else. */
export const signatureCases: AttackCase[] = [
  {
    id: 'signatures/psychic-signature',
    rule: 'CVE-2022-21449: r and s must not be 0 or the order of the curve',
    expects: '401',
    run: forgeries((target) => {
      const n = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'
      const signatures = {
        zero: '0'.repeat(128),
        'zero DER': '3006020100020100',
        order: n + n,
        'r zero': '0'.repeat(64) + n,
        ones: '00'.repeat(31) + '01' + '00'.repeat(31) + '01',
        short: '00',
      }
      return Object.entries(signatures).map(([what, hex]) => {
        const signature = Buffer.from(hex, 'hex').toString('base64url')
        return [what, `${unsigned(headed(target, { alg: 'ES256' }), target.model.payload)}.${signature}`]
      })
    }),
  },
  {
    id: 'signatures/changed-claims',
    rule: 'RFC 7515 section 5.2',
    expects: '401: the old signature is not that of new claims',
    async run(target) {
      const parts = takeApart(target.token ?? '')
      if (!parts) return needsToken(target) ?? skip('the token is no JWT')
      return forgeries(() =>
        CLAIM_CHANGES.map(([what, change]) => [
          what,
          `${unsigned(parts.header, { ...parts.payload, ...change })}.${parts.signature}`,
        ]),
      )(target)
    },
  },
  {
    id: 'signatures/spliced',
    rule: 'RFC 7515 section 5.2',
    expects: "401: one token's signature is not another's",
    async run(target) {
      const [mine, theirs] = [target.token, target.otherToken].map((token) => token?.split('.') ?? [])
      if (mine?.length !== 3 || theirs?.length !== 3)
        return skip('needs two good tokens: --token, --other-token')
      const spliced = `${mine[0] ?? ''}.${theirs[1] ?? ''}.${mine[2] ?? ''}`
      return mustBeRefused(await target.send(bearer(spliced)))
    },
  },
]
