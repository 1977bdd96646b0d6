import { isAmbiguousPath } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import type { ProviderDefinition } from '../providers/provider-definition.ts'

/** Where in a query vendors' SDKs put a key: the caller's own must not reach a provider. */
const CREDENTIALS = new Set(['key', 'api_key', 'api-key', 'apikey', 'access_token'])

/** The path and the query of a request, as they stand on the wire. */
export interface WirePath {
  path: string
  /** Without its `?`, and without what it held of the caller's credential. */
  query: string
}

/**
 * Takes a request's URL apart without decoding a byte of it; `prefix` (`/openai`) is cut off.
 * @throws Problem bad_request for a path that we and the provider could read differently
 */
export function wirePath(url: string, prefix: string): WirePath {
  const mark = url.indexOf('?')
  const path = mark === -1 ? url : url.slice(0, mark)
  if (isAmbiguousPath(path)) {
    throw new Problem('bad_request', 'The path holds a segment that is not accepted.')
  }
  return {
    path: path.slice(prefix.length),
    query: mark === -1 ? '' : withoutCredentials(url.slice(mark + 1)),
  }
}

/** The URL at the provider, or at the key's own endpoint; what the provider needs in every query is added where it is missing. */
export function upstreamUrl(
  { baseUrl, query: always = {} }: Pick<ProviderDefinition, 'baseUrl' | 'query'>,
  { path, query }: WirePath,
): string {
  let all = query
  for (const [name, value] of Object.entries(always)) {
    if (new URLSearchParams(query).has(name)) continue
    all += `${all === '' ? '' : '&'}${encodeURIComponent(name)}=${encodeURIComponent(value)}`
  }
  return `${baseUrl}${path}${all === '' ? '' : `?${all}`}`
}

function withoutCredentials(query: string): string {
  return query
    .split('&')
    .filter((pair) => !CREDENTIALS.has(nameOf(pair).toLowerCase()))
    .join('&')
}

function nameOf(pair: string): string {
  const [name = ''] = pair.split('=', 1)
  try {
    return decodeURIComponent(name.replaceAll('+', ' '))
  } catch {
    return name
  }
}
