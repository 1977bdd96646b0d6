import { callingService, Secret } from '@waybill/service-kit'
import { asCaller } from '../caller.ts'
import type { Caller } from '../caller.ts'
import type { PeerIdentity } from '../mtls/peers.ts'
import { principalOf } from '../principal/principal-of.ts'
import type { AccessTokenClaims } from './claims.ts'
import { invalidToken } from './invalid-token.ts'
import type { Verifier } from './verifier.ts'

/**
 * The callers that access tokens stand for. One is made for a token and kept as long as the verifier remembers its claims,
 * so that a request with a known token costs no more than looking it up.
 */
export function createTokenCallers(
  verifier: Verifier,
): (token: string, peer: PeerIdentity | undefined) => Promise<Caller> {
  const callers = new WeakMap<AccessTokenClaims, Caller>()
  return async (token, peer) => {
    const claims = await verifier.verify(token)
    let caller = callers.get(claims)
    if (!caller) {
      caller = asCaller(principalOf(claims), { type: 'access-token', secret: new Secret(token) })
      callers.set(claims, caller)
    }
    checkPeer(claims, caller, peer)
    return caller
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
