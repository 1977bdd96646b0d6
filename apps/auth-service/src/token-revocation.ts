import { recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { Secret } from '@waybill/service-kit'
import type { Client } from './grants.ts'
import type { HeldSessions } from './held-sessions.ts'
import { serviceClient } from './principals.ts'
import type { Revocations } from './revocations.ts'
import type { Schema } from './store/schema.ts'
import type { Subjects } from './subjects.ts'

/** What became of it: API keys are their owners' to revoke, so a service that was shown one cannot. */
export type RevocationOutcome = 'done' | 'unsupported'

/**
 * Makes a token worthless (RFC 7009): an access token by its id, a refresh token with its whole session. What is no token,
 * or not one that `client` holds rightfully, is passed over without a word.
 */
export type RevokeToken = (client: Client, token: Secret) => Promise<RevocationOutcome>

export interface TokenRevocationOptions {
  database: Database<Schema>
  subjects: Subjects
  heldSessions: HeldSessions
  revocations: Revocations
}

export function createTokenRevocation(options: TokenRevocationOptions): RevokeToken {
  const { database, subjects, heldSessions, revocations } = options
  return async (client, token) => {
    const text = token.reveal()
    if (text.startsWith('wb_')) return 'unsupported'
    if (text.startsWith('rt_')) {
      await heldSessions.end(client, token)
      return 'done'
    }
    const claims = await subjects.accessTokenOfAnyUse(client.name, token).catch((error: unknown) => {
      if (error instanceof Problem && error.code === 'invalid_token') return undefined
      throw error
    })
    if (!claims) return 'done'
    await database.withoutPrincipal(async (tx) => {
      await revocations.record(tx, 'token', claims.jti)
      await recordAudit(tx, {
        action: 'token.revoke',
        resource: `token/${claims.jti}`,
        outcome: 'success',
        details: { subject: `${claims.principal}:${claims.sub}` },
        principal: serviceClient(client),
      })
    })
    return 'done'
  }
}
