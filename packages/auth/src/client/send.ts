import { AuthClientError } from './auth-client-error.ts'

export interface RequestOptions {
  headers?: Record<string, string>
  /** Sent as JSON. */
  json?: unknown
  /** Sent as it is. A stream cannot be sent twice: its request is not repeated after a 401. */
  body?: BodyInit
  signal?: AbortSignal
}

type BodyInit = NonNullable<RequestInit['body']>

const REDIRECTS = [301, 302, 303, 307, 308]

/**
 * One request below `base` with `credential` in its headers. No redirect is followed: on the way to another origin
 * `fetch` drops Authorization, but sends every header of the kind X-API-Key along.
 */
export async function sendTo(
  base: URL,
  method: string,
  path: string,
  options: RequestOptions,
  credential: Record<string, string>,
): Promise<Response> {
  const { json, signal, body = json === undefined ? undefined : JSON.stringify(json) } = options
  const headers = new Headers(json === undefined ? {} : { 'Content-Type': 'application/json' })
  for (const [name, value] of Object.entries({ ...options.headers, ...credential })) headers.set(name, value)
  const answer = await fetch(urlAt(base, path), {
    ...{ method, headers, redirect: 'manual', credentials: 'omit', cache: 'no-store' },
    ...(body !== undefined && { body }),
    ...(body instanceof ReadableStream && { duplex: 'half' }),
    ...(signal && { signal }),
  })
  if (answer.type === 'opaqueredirect' || REDIRECTS.includes(answer.status)) {
    await answer.body?.cancel()
    throw new AuthClientError('redirect_refused', `${method} was redirected, which is not followed.`, {
      status: answer.status,
    })
  }
  return answer
}

/** @throws AuthClientError `foreign_origin` */
export function urlAt(base: URL, path: string): URL {
  const url = URL.parse(/^\/(?!\/)/.test(path) ? base.href.replace(/\/$/, '') + path : path)
  if (url?.origin !== base.origin) {
    throw new AuthClientError('foreign_origin', `Requests go to ${base.origin} only.`)
  }
  return url
}
