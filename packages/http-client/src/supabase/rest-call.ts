import { DownstreamError } from '../downstream-error.ts'
import type { ExternalClient } from '../external-client.ts'
import type { SupabaseProject } from './config.ts'
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

/** What createHttpClient's external() is told of a project, which messages call `name`. */
export function supabaseOutside({ baseUrl }: Pick<SupabaseProject, 'baseUrl'>, name: string) {
  // The operator has named it, so it may be in a network of their own.
  return {
    allowHeaders: HEADERS,
    allowPrivateOrigins: [new URL(baseUrl).origin],
    backend: name,
  }
}

/**
 * One request to PostgREST; gives back the answer with whatever status. What only reads is asked again when its connection was lost.
 * @throws DownstreamError when there is no answer
 */
export async function callRest(
  client: ExternalClient,
  project: Pick<SupabaseProject, 'baseUrl' | 'schema'>,
  { method, path, query = [], body, prefer = [] }: RestRequest,
  { apikey, bearer }: RestCredentials,
): Promise<RestAnswer> {
  const search = query.map((pair) => pair.map(encodeURIComponent).join('=')).join('&')
  const segments = path.split('/').map(encodeURIComponent).join('/')
  const profile = method === 'GET' ? 'Accept-Profile' : 'Content-Profile'
  const call = {
    method,
    url: `${project.baseUrl}/${segments}${search === '' ? '' : `?${search}`}`,
    headers: {
      apikey,
      Accept: 'application/json',
      [profile]: project.schema,
      ...(bearer !== undefined && { Authorization: `Bearer ${bearer}` }),
      ...(prefer.length > 0 && { Prefer: prefer.join(',') }),
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }
  return client.call(call).catch((error: unknown) => {
    // A connection that was kept may have been closed meanwhile.
    if (method !== 'GET' || !isGone(error)) throw error
    return client.call(call)
  })
}

function isGone(error: unknown): boolean {
  return error instanceof DownstreamError && error.code === 'unavailable'
}
