import { Problem, requestContext, Secret } from '@waybill/service-kit'
import type { Authenticated } from '@waybill/service-kit'
import { isApiKeyLike } from './api-key/format.ts'
import type { ApiKeyVerifier } from './api-key/verifier.ts'
import { asCaller } from './caller.ts'
import type { Caller } from './caller.ts'
import type { PeerIdentity } from './mtls/peers.ts'
import type { PresentedCredentials } from './presented.ts'
import { contradictingHeader } from './principal/identity-headers.ts'
import type { SentIdentity } from './principal/identity-headers.ts'
import type { ServiceSecrets } from './service-secret/secrets.ts'
import { invalidToken } from './token/invalid-token.ts'
import { createTokenCallers } from './token/callers.ts'
import type { Verifier } from './token/verifier.ts'

export interface CredentialVerifierOptions {
  verifier: Verifier
  /** Without them, API keys are recognised and refused. */
  apiKeys?: ApiKeyVerifier | undefined
  /** Without them, a Bearer that is no token is a bad token. */
  serviceSecrets?: ServiceSecrets | undefined
  /** At the edge identity headers come from strangers and are ignored; inside they must agree with the credential. */
  edge?: boolean
}

/** Any credential to one Principal. */
export interface CredentialVerifier {
  /**
   * The caller where a lone access token that is remembered says so, at once: most requests need no more. Undefined for
   * everything else, which `verify` judges.
   * @throws Problem as `verify` rejects
   */
  recall(presented: PresentedCredentials): Authenticated | undefined
  /**
   * The caller; undefined when nothing was sent that proves anything.
   * @throws Problem ambiguous_credentials (400), invalid_token or identity_header_mismatch (401), unavailable (503)
   */
  verify(presented: PresentedCredentials): Promise<Authenticated | undefined>
}

/**
 * Judges what was presented. Two kinds of credential are refused, and an invalid one never falls back to another. A
 * client certificate beside a token is no second credential: it says who sent the request, the token for whom.
 */
export function createCredentialVerifier(options: CredentialVerifierOptions): CredentialVerifier {
  const { verifier, apiKeys, serviceSecrets, edge = false } = options
  const callers = createTokenCallers(verifier)

  const bearer = async (text: string, { identity, peer }: PresentedCredentials): Promise<Caller> => {
    const token = bearerToken(text)
    const names = identity['X-Service-Name']
    // What has the form of a token is judged as one, and only as one.
    if (!serviceSecrets || !names || token.split('.').length === 3) {
      if (isApiKeyLike(token))
        throw invalidToken('An API key (wb_...) is sent in X-API-Key, not as a Bearer.')
      return callers.verify(token, peer)
    }
    const name = names.length === 1 ? (names[0] ?? '') : ''
    const isOwn = serviceSecrets.verify(name, new Secret(token))
    if (!isOwn || (peer && peer.service !== name)) throw invalidToken('This is no secret of that service.')
    return asCaller({ kind: 'service', service: name, permissions: [], actors: [], via: 'service-secret' })
  }

  const identify = async (presented: PresentedCredentials): Promise<Caller | undefined> => {
    const { authorization, apiKey, peer } = presented
    refuseAmbiguity(presented)
    if (authorization[0] !== undefined) return bearer(authorization[0], presented)
    if (apiKey[0] !== undefined) {
      if (!apiKeys) throw invalidToken('This service does not accept API keys.')
      return apiKeys.verify(apiKey[0])
    }
    return peer && callerByCertificate(peer)
  }

  return {
    recall(presented) {
      const [text = '', ...others] = presented.authorization
      if (others.length + presented.apiKey.length > 0 || !text.startsWith(BEARER)) return undefined
      const caller = callers.recall(text.slice(BEARER.length), presented.peer)
      if (caller && !edge) refuseContradiction(presented.identity, caller)
      return caller
    },
    async verify(presented) {
      const caller = await identify(presented)
      if (caller && !edge) refuseContradiction(presented.identity, caller)
      return caller
    },
  }
}

/** As nearly everybody writes it; other spellings take the longer way. */
const BEARER = 'Bearer '

function callerByCertificate({ service, permissions }: PeerIdentity): Caller {
  return asCaller({ kind: 'service', service, permissions: [...permissions], actors: [], via: 'mtls' })
}

function refuseAmbiguity({ authorization, apiKey, peer }: PresentedCredentials): void {
  if (authorization.length + apiKey.length > 1 || (peer && apiKey.length > 0)) {
    throw new Problem(
      'ambiguous_credentials',
      'Send one credential: either Authorization or X-API-Key, once; no API key with a client certificate.',
    )
  }
}

function refuseContradiction(identity: SentIdentity, { expected }: Caller): void {
  const contradiction = contradictingHeader(identity, expected)
  if (contradiction === undefined) return
  requestContext()?.log.warn({ audit: 'identity_header_mismatch', header: contradiction }, 'refused')
  throw new Problem('identity_header_mismatch', `${contradiction} is not what the credential says.`)
}

function bearerToken(authorization: string): string {
  const token = /^Bearer +([^\s,]+)$/i.exec(authorization)?.[1]
  if (token === undefined) throw invalidToken('Authorization must be "Bearer" and one token.')
  return token
}
