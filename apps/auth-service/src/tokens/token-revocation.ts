import { recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { Secret } from '@waybill/service-kit'
import type { Client } from './grants.ts'
import type { HeldSessions } from '../sessions/held-sessions.ts'
import { serviceClient } from '../people/principals.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { Schema } from '../store/schema.ts'
import { isOfPlatform } from './subjects.ts'
import type { Subjects } from './subjects.ts'

/**
 * What became of it: API keys are their owners' to revoke, so a service that was shown one cannot; and what was issued
 * neither to a client nor for it is not its to revoke.
 */
export type RevocationOutcome = 'done' | 'unsupported' | 'unauthorized'

/**
 * Makes a token worthless (RFC 7009): an access token by its id, a refresh token with its whole session. What is no live
 * token is passed over without a word.
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
      if (!isOfPlatform(client.name)) return 'unauthorized'
      await heldSessions.end(client, token)
      return 'done'
    }
    const claims = await subjects.accessTokenOfAnyUse(client.name, token).catch(outcomeOf)
    if (typeof claims === 'string') return claims
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

function outcomeOf(error: unknown): RevocationOutcome {
  if (error instanceof Problem && error.code === 'invalid_token') return 'done'
  if (error instanceof Problem && error.code === 'insufficient_permission') return 'unauthorized'
  throw error
}
