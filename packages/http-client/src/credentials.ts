import { Problem, requestContext } from '@waybill/service-kit'
import type { Secret } from '@waybill/service-kit'
import type { TokenSource } from './token-source.ts'

export interface PickedCredential {
  authorization: string
  /** Whether the credential itself names the calling service. */
  backed: boolean
  /** Keeps the token no longer, after a 401; absent where the token is the user's own, and only the user can renew it. */
  forget?: () => void
  /** Whether it speaks for the calling service alone: then nobody else is named beside it. */
  inOwnName?: boolean
}

/** Chooses what a call to a neighbour is authorised with. */
export interface CredentialPicker {
  pick(call: {
    service: string
    baseUrl: string
    workspaceId?: string | undefined
  }): Promise<PickedCredential>
}

/** `exchange`: a token for that one service, for the request's subject, or in the caller's own name when there is none. */
export function exchangeCredentials(tokens: TokenSource): CredentialPicker {
  return {
    async pick({ service, workspaceId }) {
      const subject = requestContext()?.credential
      const request = { audience: service, subject, workspaceId }
      const token = await tokens.tokenFor(request)
      const forget = (): void => {
        tokens.forget(request, token)
      }
      return { authorization: `Bearer ${token}`, backed: true, forget }
    },
  }
}

/** `passthrough`: the user's own token, to the hosts that may see it; where there is no user, as `otherwise` says. */
export function passthroughCredentials(
  hosts: readonly string[],
  otherwise: CredentialPicker,
): CredentialPicker {
  return {
    async pick(call) {
      const subject = requestContext()?.credential
      // An API key is never handed on: what is exchanged for it says as much, and lives for minutes.
      if (subject?.type !== 'access-token') return otherwise.pick(call)
      const { host, hostname } = new URL(call.baseUrl)
      if (!hosts.includes(host) && !hosts.includes(hostname)) {
        throw new Problem('internal', `${host} is not in PASSTHROUGH_HOSTS.`)
      }
      return { authorization: `Bearer ${subject.secret.reveal()}`, backed: false }
    },
  }
}

/**
 * The static secret of this service, for neighbours of the older kind: it stands for the service alone, so whom a call is
 * for can only be told in the call itself.
 */
export function secretCredentials(secret: Secret): CredentialPicker {
  return {
    pick: () =>
      Promise.resolve({ authorization: `Bearer ${secret.reveal()}`, backed: true, inOwnName: true }),
  }
}
