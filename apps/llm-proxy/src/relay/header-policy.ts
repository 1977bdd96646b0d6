import type { IncomingHttpHeaders } from 'node:http'
import type { ProviderDefinition } from '../providers/provider-definition.ts'

/**
 * What of a request goes to every provider; its protocol names more. All else stays here: credentials, cookies, identity,
 * the trace, the addresses of proxies.
 */
const REQUEST = [
  'accept',
  'content-length',
  'content-type',
  'idempotency-key',
  'user-agent',
  // What the vendors' SDKs say of themselves.
  'x-stainless-arch',
  'x-stainless-async',
  'x-stainless-custom-poll-interval',
  'x-stainless-helper',
  'x-stainless-helper-method',
  'x-stainless-lang',
  'x-stainless-os',
  'x-stainless-package-version',
  'x-stainless-poll-helper',
  'x-stainless-raw-response',
  'x-stainless-read-timeout',
  'x-stainless-retry-count',
  'x-stainless-runtime',
  'x-stainless-runtime-version',
  'x-stainless-timeout',
] as const

/** What this service says for itself. */
const OWN = { 'accept-encoding': 'identity' } as const

/**
 * What this service says with every answer of a provider. It comes from the platform's own origin, where a page among the
 * provider's files must not run.
 */
export const OWN_OF_ANSWER = {
  'cache-control': 'private, no-store',
  'content-security-policy': "sandbox; default-src 'none'",
} as const

/** What of an answer comes back, whoever the provider is. */
const RESPONSE = new Set([
  'anthropic-fast-mode',
  'content-disposition',
  'content-language',
  'content-length',
  'content-range',
  'content-type',
  'openai-model',
  'openai-processing-ms',
  'openai-version',
  'request-id',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
])
const RESPONSE_PREFIXES = [
  'x-ratelimit-',
  'anthropic-ratelimit-',
  // Mistral's names.
  'ratelimit-',
  'ratelimitbysize-',
  'x-ratelimitbysize-',
] as const

/** Every header that may be sent to one of `providers`: the list that http-client holds each request against. */
export function sendableHeaders(providers: readonly ProviderDefinition[]): string[] {
  const special = providers.flatMap((provider) => [
    ...provider.protocol.requestHeaders,
    ...Object.keys(credentialHeaders(provider, '', '')),
    ...Object.keys(credentialHeaders(provider, '', `${provider.openAiPath ?? ''}/models`)),
  ])
  return [...new Set([...REQUEST, ...Object.keys(OWN), 'via', ...special].map((name) => name.toLowerCase()))]
}

/**
 * The headers for `provider`: those of the client that are on the list and that its `Connection` does not name, then ours.
 * The length is told only of a body that goes on as it comes (`isStreaming`): any other may have been changed.
 */
export function requestHeaders(
  headers: IncomingHttpHeaders,
  { protocol }: ProviderDefinition,
  { isStreaming, via }: { isStreaming: boolean; via: string },
): Record<string, string> {
  const kept: Record<string, string> = {}
  const nominated = connectionOptions(headers.connection)
  const keep = (name: string) => {
    const value = headers[name]
    if (typeof value === 'string' && !nominated?.has(name)) kept[name] = value
  }
  for (const name of REQUEST) if (isStreaming || name !== 'content-length') keep(name)
  protocol.requestHeaders.forEach(keep)
  return Object.assign(kept, OWN, { via })
}

/** The headers that stand for the user's key at `provider`, on this path. */
export function credentialHeaders(
  { protocol, credentialHeader }: ProviderDefinition,
  secret: string,
  path: string,
): Record<string, string> {
  return credentialHeader === undefined ? protocol.credential(secret, path) : { [credentialHeader]: secret }
}

/**
 * The headers of an answer that come back. The provider's own request id comes as `x-provider-request-id`: X-Request-ID is
 * the platform's. `isChanged` says that the body is no longer as long as its headers say.
 */
export function responseHeaders(
  headers: Record<string, unknown>,
  { isChanged }: { isChanged: boolean },
): Record<string, string> {
  const kept: Record<string, string> = {}
  const nominated = connectionOptions(headers.connection)
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== 'string' || nominated?.has(name)) continue
    if (name === 'x-request-id') kept['x-provider-request-id'] = value
    else if (isChanged && (name === 'content-length' || name === 'content-range')) continue
    else if (name === 'ratelimit-policy')
      continue // the gateway's own, like `RateLimit`
    else if (RESPONSE.has(name) || RESPONSE_PREFIXES.some((prefix) => name.startsWith(prefix)))
      kept[name] = value
  }
  return kept
}

/** RFC 9110 section 7.6.1: what `Connection` names is for this one connection. Undefined when it names nothing. */
function connectionOptions(connection: unknown): Set<string> | undefined {
  if (typeof connection !== 'string' || connection === 'keep-alive' || connection === 'close')
    return undefined
  return new Set(connection.split(',').map((option) => option.trim().toLowerCase()))
}
