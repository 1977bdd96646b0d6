import type { ExternalClient } from '@waybill/http-client'
import type { SupabaseSettings } from './config.ts'
import type { RestAnswer } from './rest-answer.ts'

export interface RestRequest {
  /** GET runs READ ONLY. */
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** A table, or a function as `rpc/<name>`. */
  path: string
  /** Names and values; they are encoded here. */
  query?: readonly (readonly [string, string])[]
  body?: unknown
  /** Preferences (RFC 7240). */
  prefer?: readonly string[]
}

/** The credentials of a call, as the gateway of a project and PostgREST want them. */
export interface RestCredentials {
  apikey: string
  /** A JWT. */
  bearer: string | undefined
}

/** All that leaves this service beside the credentials. */
const HEADERS = ['apikey', 'accept', 'accept-profile', 'content-profile', 'content-type', 'prefer']

/** What createHttpClient's external() is told of a project. */
export function outsideOptions({ baseUrl }: SupabaseSettings) {
  // The operator has named it, so it may be in a network of their own.
  return {
    allowHeaders: HEADERS,
    allowPrivateOrigins: [new URL(baseUrl).origin],
    backend: 'The backend supabase',
  }
}

/** One request to PostgREST; gives back the answer with whatever status. @throws DownstreamError when there is none */
export async function callRest(
  client: ExternalClient,
  settings: SupabaseSettings,
  { method, path, query = [], body, prefer = [] }: RestRequest,
  { apikey, bearer }: RestCredentials,
): Promise<RestAnswer> {
  const search = query.map((pair) => pair.map(encodeURIComponent).join('=')).join('&')
  const segments = path.split('/').map(encodeURIComponent).join('/')
  const profile = method === 'GET' ? 'Accept-Profile' : 'Content-Profile'
  return client.call({
    method,
    url: `${settings.baseUrl}/${segments}${search === '' ? '' : `?${search}`}`,
    headers: {
      apikey,
      Accept: 'application/json',
      [profile]: settings.schema,
      ...(bearer !== undefined && { Authorization: `Bearer ${bearer}` }),
      ...(prefer.length > 0 && { Prefer: prefer.join(',') }),
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}
