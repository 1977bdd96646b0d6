import type { IncomingMessage } from 'node:http'
import { Problem } from '@waybill/service-kit'
import type { SecurityScheme } from '@waybill/service-kit'
import { isApiKeyLike } from './api-key/format.ts'
import type { PresentedCredentials } from './presented.ts'
import { invalidToken } from './token/invalid-token.ts'

/** Where vendors' SDKs put their key beside Authorization and X-API-Key: Google's and Azure's. Lower case. */
const FURTHER_HEADERS = ['x-goog-api-key', 'api-key']
/** Google's SDKs of old, and curl. */
const PARAMETER = 'key'

/** How the documents of routes call these places, by what SdkCredentials says of a path. */
export const SDK_SCHEMES: Readonly<Record<SdkPlaces, readonly SecurityScheme[]>> = {
  headers: ['googleApiKey', 'azureApiKey'],
  anywhere: ['googleApiKey', 'azureApiKey', 'keyParameter'],
}

type Sent = Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'url'>

/** Where a credential is looked for on a path: in all these headers, and in the query too. */
type SdkPlaces = 'headers' | 'anywhere'
/** By the path; undefined where Authorization and X-API-Key are the only places. */
export type SdkCredentials = (path: string) => SdkPlaces | undefined

/**
 * The credential of a request on a path where vendors' SDKs are at home: an access token or an API key, wherever they put
 * what they think is the vendor's key. It is judged as what it is, not by where it stood; the same one in two places is one,
 * since a client that is told twice sends it twice.
 * @throws Problem ambiguous_credentials (400) for two that differ, and for one place that is there twice; invalid_token (401) for
 * what is neither, a vendor's key as a rule
 */
export function sdkPresented(
  presented: PresentedCredentials,
  req: Sent,
  where: SdkPlaces,
): PresentedCredentials {
  const { authorization, apiKey } = presented
  const token = tokenOf(authorization[0])
  const plainly =
    apiKey.length === 0 && authorization.length < 2 && (token === undefined || isTokenLike(token))
  if (plainly && !standsElsewhere(req, where)) return presented

  const places = [
    authorization.map((value) => tokenOf(value) ?? value),
    apiKey,
    ...FURTHER_HEADERS.map((name) => valuesOf(name, req.rawHeaders)),
    where === 'anywhere' ? parameters(req.url) : [],
  ]
  const [credential, ...others] = new Set(places.flat())
  if (others.length > 0 || places.some(({ length }) => length > 1)) {
    throw new Problem(
      'ambiguous_credentials',
      `Send one credential, in one place: Authorization, X-API-Key, x-goog-api-key${where === 'anywhere' ? ', api-key or the parameter `key`' : ' or api-key'}.`,
    )
  }
  // What is no Bearer stays as it is, to be refused as that.
  if (credential === undefined || credential === authorization[0]) return presented
  if (isApiKeyLike(credential)) return { ...presented, authorization: [], apiKey: [credential] }
  if (!isTokenLike(credential)) throw foreignCredential()
  return { ...presented, authorization: [`Bearer ${credential}`], apiKey: [] }
}

function foreignCredential(): Problem {
  return invalidToken(
    "This is no credential of this platform. An access token or an API key (wb_...) belongs here; a provider's own key is added with POST /keys.",
  )
}

function tokenOf(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : /^Bearer +(.*)$/i.exec(authorization)?.[1]
}

/** By its three parts, which is enough to tell a token from what any vendor calls a key. */
function isTokenLike(credential: string): boolean {
  return credential.split('.').length === 3 && !isApiKeyLike(credential)
}

function standsElsewhere({ headers, url }: Sent, where: SdkPlaces): boolean {
  const mayBeInQuery = where === 'anywhere' && url?.includes('?') === true
  return mayBeInQuery || FURTHER_HEADERS.some((name) => headers[name] !== undefined)
}

/** From the raw ones: node joins those of one name with a comma. */
function valuesOf(header: string, rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === header)
}

function parameters(url = ''): string[] {
  const mark = url.indexOf('?')
  return mark < 0 ? [] : new URLSearchParams(url.slice(mark)).getAll(PARAMETER)
}
