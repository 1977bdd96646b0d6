import { Problem } from '@waybill/service-kit'
import type { Authenticate } from '@waybill/service-kit'
import type { Sessions } from './sessions.ts'

/** As `authenticate`, and refuses the access tokens of a session that has ended: here, where that is known, at once. */
export function withLiveSession(authenticate: Authenticate, sessions: Sessions): Authenticate {
  return async (req) => {
    const caller = await authenticate(req)
    if (caller?.principal.kind !== 'user' || caller.principal.via !== 'jwt') return caller
    const { sessionId } = caller.principal
    if (sessionId === undefined || !(await sessions.isLive(sessionId))) {
      throw new Problem('invalid_token', 'The session of this token has ended.')
    }
    return caller
  }
}
