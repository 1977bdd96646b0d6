import type { authService } from '@waybill/contracts'
import type { Secret } from '@waybill/service-kit'

/** What a service asks of the issuer. `@waybill/http-client` asks auth-service over HTTP; auth-service asks itself. */
export interface Issuer {
  /** The published keys (RFC 7517). */
  jwks(): Promise<unknown>
  /**
   * The revocations after `cursor`, or all that are in force without one. With `wait` it waits a while for the first that
   * comes after the cursor; without, it answers at once. Gives up when `signal` aborts.
   */
  revocations(
    cursor: string | undefined,
    signal: AbortSignal,
    wait: boolean,
  ): Promise<authService.RevocationPage>
  /** What an API key stands for (RFC 7662). @throws Problem unavailable when it cannot be asked */
  introspect(apiKey: Secret): Promise<authService.Introspection>
}
