import type { IncomingHttpHeaders } from 'node:http'
import { expectedIdentity, IDENTITY_HEADERS } from '@waybill/auth'
import { REQUEST_ID_HEADER, requestContext, TIMEOUT_HEADER } from '@waybill/service-kit'
import type { Principal } from '@waybill/service-kit'

/** RFC 9110 section 7.6.1, and the proxy fields that concern one connection only. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** What a client may not say for itself: credentials are verified and replaced, identity is set from them. */
const REPLACED = new Set([
  'api-key',
  'authorization',
  'baggage',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'tracestate',
  'traceparent',
  'x-api-key',
  'x-goog-api-key',
  'txn-token',
  TIMEOUT_HEADER.toLowerCase(),
  REQUEST_ID_HEADER.toLowerCase(),
  ...IDENTITY_HEADERS.map((name) => name.toLowerCase()),
])
const REPLACED_PREFIXES = ['x-user-', 'x-tenant-', 'x-service-', 'x-auth-', 'x-forwarded-']

type Headers = Record<string, string | string[]>

/**
 * The headers of a client's request that may travel on. Everything that names an identity, carries a credential or
 * concerns one connection is gone, with whatever `Connection` names and every spelling with underscores; only then may
 * anything be stamped, so that a nominated name cannot delete what was stamped.
 */
export function forwardableRequestHeaders(headers: IncomingHttpHeaders): Headers {
  const nominated = connectionOptions(headers.connection)
  return pick(headers, (name) => {
    const plain = name.replaceAll('_', '-')
    return !(
      HOP_BY_HOP.has(plain) ||
      nominated.has(name) ||
      REPLACED.has(plain) ||
      REPLACED_PREFIXES.some((prefix) => plain.startsWith(prefix))
    )
  })
}

/** The headers of a neighbour's answer that may travel back: all but those of its own connection and its request id. */
export function forwardableResponseHeaders(headers: Record<string, unknown>): Headers {
  const nominated = connectionOptions(headers.connection)
  return pick(headers, (name) => {
    return !(HOP_BY_HOP.has(name) || nominated.has(name) || name === REQUEST_ID_HEADER.toLowerCase())
  })
}

/** What every internal hop carries beside its credential; identity headers are set even when they are empty. */
export function stampedHeaders(
  principal: Principal | undefined,
  self: string,
  timeoutMs: number,
): Record<string, string> {
  const requestId = requestContext()?.requestId
  const identity = principal
    ? { ...expectedIdentity(principal), 'X-Service-Name': self }
    : { 'X-User-ID': '', 'X-Tenant-ID': '', 'X-Service-Name': self }
  return {
    ...identity,
    ...(requestId !== undefined && { [REQUEST_ID_HEADER]: requestId }),
    [TIMEOUT_HEADER]: String(Math.max(1, Math.floor(timeoutMs))),
  }
}

function connectionOptions(connection: unknown): Set<string> {
  if (typeof connection !== 'string') return new Set()
  return new Set(connection.split(',').map((option) => option.trim().toLowerCase()))
}

function pick(headers: Record<string, unknown>, keep: (name: string) => boolean): Headers {
  const kept: Headers = {}
  for (const [name, value] of Object.entries(headers)) {
    if (!keep(name.toLowerCase())) continue
    if (typeof value === 'string') kept[name] = value
    else if (Array.isArray(value)) kept[name] = value.map(String)
  }
  return kept
}
