import { callingService, Secret } from '@waybill/service-kit'
import { asCaller } from '../caller.ts'
import type { Caller } from '../caller.ts'
import type { PeerIdentity } from '../mtls/peers.ts'
import { principalOf } from '../principal/principal-of.ts'
import type { AccessTokenClaims } from './claims.ts'
import { invalidToken } from './invalid-token.ts'
import type { Verifier } from './verifier.ts'

/** The callers that access tokens stand for. @throws as the Verifier does, and invalid_token for another's certificate */
export interface TokenCallers {
  /** That of a token which is remembered, at once. */
  recall(token: string, peer: PeerIdentity | undefined): Caller | undefined
  verify(token: string, peer: PeerIdentity | undefined): Promise<Caller>
}

/**
 * One caller is made for a token and kept as long as the verifier remembers its claims, so that a request with a known
 * token costs no more than looking it up.
 */
export function createTokenCallers(verifier: Verifier): TokenCallers {
  const callers = new WeakMap<AccessTokenClaims, Caller>()
  const callerOf = (claims: AccessTokenClaims, token: string, peer: PeerIdentity | undefined): Caller => {
    let caller = callers.get(claims)
    if (!caller) {
      caller = asCaller(principalOf(claims), { type: 'access-token', secret: new Secret(token) })
      callers.set(claims, caller)
    }
    checkPeer(claims, caller, peer)
    return caller
  }
  return {
    recall(token, peer) {
      const claims = verifier.recall(token)
      return claims && callerOf(claims, token, peer)
    },
    verify: async (token, peer) => callerOf(await verifier.verify(token), token, peer),
  }
}

/** What a client certificate beside the token must prove: that the service which the token names is the one that sent it. */
function checkPeer(claims: AccessTokenClaims, { principal }: Caller, peer: PeerIdentity | undefined): void {
  if (claims.cnf && claims.cnf['x5t#S256'] !== peer?.thumbprint) {
    throw invalidToken('The token is bound to another client certificate.')
  }
  if (peer && callingService(principal) !== peer.service) {
    throw invalidToken('The token was not issued to the service of the client certificate.')
  }
}
