import { Problem, requestContext } from '@waybill/service-kit'
import type { TokenSource } from './token-source.ts'
import { within } from './within.ts'

/** Tokens by which somebody outside, who believes auth-service, knows on whose behalf this service asks. */
export interface OnBehalfOf {
  /**
   * A token for that audience on behalf of the user whose request is being served (RFC 8693), kept as long as it lives.
   * @throws Problem `forbidden` when the request came with nothing that can be exchanged, or this service may not;
   * `invalid_token` when the user's credential is not valid any more; `timeout`; DownstreamError
   */
  token(): Promise<string>
  /** Keeps the token no longer, because whom it was made for did not accept it. */
  forget(token: string): void
}

export function createOnBehalfOf(
  tokens: TokenSource,
  audience: string,
  options: { timeoutMs: number },
): OnBehalfOf {
  const request = () => {
    const context = requestContext()
    if (!context?.credential) {
      throw new Problem('forbidden', `No token for ${audience} can be had for this kind of credential.`)
    }
    return { audience, subject: context.credential, deadline: context.deadline }
  }
  return {
    async token() {
      const { deadline, ...wanted } = request()
      const limitMs = Math.min(options.timeoutMs, deadline - Date.now())
      return within(limitMs, tokens.tokenFor(wanted), `No token for ${audience} was had in time.`)
    },
    forget(token) {
      const { deadline: _deadline, ...wanted } = request()
      tokens.forget(wanted, token)
    },
  }
}
