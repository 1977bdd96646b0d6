import { recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import type { Secret } from '@waybill/service-kit'
import type { Client } from '../tokens/grants.ts'
import { serviceClient } from '../people/principals.ts'
import type { RefreshTokens } from './refresh-token.ts'
import type { Revocations } from '../revocations/revocations.ts'
import { findHeldSession } from '../store/held-sessions.ts'
import type { HeldSession } from '../store/held-sessions.ts'
import type { Schema } from '../store/schema.ts'
import { revokeSession } from '../store/sessions.ts'

/** Sessions by a refresh token that somebody holds, without using it up. */
export interface HeldSessions {
  /** The live session that the token is the newest of. */
  find(token: Secret): Promise<HeldSession | undefined>
  /** Ends the session of the token, for `client`, which holds it; nothing when there is none. */
  end(client: Client, token: Secret): Promise<void>
}

export interface HeldSessionsOptions {
  database: Database<Schema>
  refreshTokens: RefreshTokens
  revocations: Revocations
}

export function createHeldSessions(options: HeldSessionsOptions): HeldSessions {
  const { database, refreshTokens, revocations } = options
  return {
    async find(token) {
      const presented = refreshTokens.read(token.reveal())
      if (!presented) return undefined
      const held = await database.withoutPrincipal(
        (tx) => findHeldSession(tx, presented.sessionId, presented.hash),
        { readOnly: true },
      )
      return held?.isNewest ? held : undefined
    },

    async end(client, token) {
      const presented = refreshTokens.read(token.reveal())
      if (!presented) return
      await database.withoutPrincipal(async (tx) => {
        const held = await findHeldSession(tx, presented.sessionId, presented.hash)
        if (!held || !(await revokeSession(tx, held.sessionId, 'logout'))) return
        await revocations.record(tx, 'session', held.sessionId)
        await recordAudit(tx, {
          action: 'session.revoke',
          resource: `session/${held.sessionId}`,
          outcome: 'success',
          details: { user: held.userId },
          principal: serviceClient(client),
        })
      })
    },
  }
}
