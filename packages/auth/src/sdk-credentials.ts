import type { IncomingMessage } from 'node:http'
import { Problem } from '@waybill/service-kit'
import type { PresentedCredentials } from './presented.ts'

/** Where vendors' SDKs put their key beside Authorization and X-API-Key: Google's and Azure's. Lower case. */
const FURTHER_HEADERS = ['x-goog-api-key', 'api-key']
/** Google's SDKs of old, and curl. */
const PARAMETER = 'key'

type Sent = Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'url'>

/**
 * The credential of a request on a path where vendors' SDKs are at home: an access token or an API key, wherever they put
 * what they think is the vendor's key. It is judged as what it is, not by where it stood; the same one in two places is one,
 * since a client that is told twice sends it twice.
 * @throws Problem ambiguous_credentials (400) for two that differ, and for one place that is there twice
 */
export function sdkPresented(presented: PresentedCredentials, req: Sent): PresentedCredentials {
  const { authorization, apiKey } = presented
  const plainly = apiKey.length === 0 && authorization.length < 2 && !isApiKeyLike(tokenOf(authorization[0]))
  if (plainly && !standsElsewhere(req)) return presented

  const places = [
    authorization.map((value) => tokenOf(value) ?? value),
    apiKey,
    ...FURTHER_HEADERS.map((name) => valuesOf(name, req.rawHeaders)),
    parameters(req.url),
  ]
  const [credential, ...others] = new Set(places.flat())
  if (others.length > 0 || places.some(({ length }) => length > 1)) {
    throw new Problem(
      'ambiguous_credentials',
      'Send one credential, in one place: Authorization, X-API-Key, x-goog-api-key, api-key or the parameter `key`.',
    )
  }
  // What is no Bearer stays as it is, to be refused as that.
  if (credential === undefined || credential === authorization[0]) return presented
  return isApiKeyLike(credential)
    ? { ...presented, authorization: [], apiKey: [credential] }
    : { ...presented, authorization: [`Bearer ${credential}`], apiKey: [] }
}

function tokenOf(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : /^Bearer +(.*)$/i.exec(authorization)?.[1]
}

/** Tells a mistyped API key from a token, too. */
function isApiKeyLike(credential: string | undefined): boolean {
  return credential?.startsWith('wb_') === true
}

function standsElsewhere({ headers, url }: Sent): boolean {
  return FURTHER_HEADERS.some((name) => headers[name] !== undefined) || url?.includes('?') === true
}

/** From the raw ones: node joins those of one name with a comma. */
function valuesOf(header: string, rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === header)
}

function parameters(url = ''): string[] {
  const mark = url.indexOf('?')
  return mark < 0 ? [] : new URLSearchParams(url.slice(mark)).getAll(PARAMETER)
}
