import { randomBytes } from 'node:crypto'

/** One answer, read whole. */
export interface Answer {
  status: number
  headers: Headers
  body: Record<string, unknown>
}

export interface Ask {
  method?: string
  headers?: Record<string, string>
  json?: unknown
  body?: BodyInit
  /** Sends no credential. */
  anonymous?: boolean
}

type BodyInit = string | Uint8Array<ArrayBuffer> | FormData

/** Somebody with an account, calling through the gateway. */
export interface User {
  id: string
  token: string
  ask(path: string, options?: Ask): Promise<Answer>
}

/** A request to any URL. */
export async function ask(url: string, { method, headers = {}, json, body }: Ask = {}): Promise<Answer> {
  const payload = json === undefined ? body : JSON.stringify(json)
  const response = await fetch(url, {
    method: method ?? (payload === undefined ? 'GET' : 'POST'),
    headers: { ...(json !== undefined && { 'Content-Type': 'application/json' }), ...headers },
    ...(payload !== undefined && { body: payload }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : parse(text) }
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown> // the platform answers objects
  } catch {
    return { text }
  }
}

/** Registers somebody new and logs in. */
export async function newUser(
  gateway: string,
  password = randomBytes(18).toString('base64url'),
): Promise<User> {
  const username = `user-${randomBytes(6).toString('hex')}`
  await ask(`${gateway}/auth/register`, { json: { username, password, email: `${username}@example.test` } })
  const { status, body } = await ask(`${gateway}/auth/login`, { json: { username, password } })
  if (status !== 200) throw new Error(`could not log in: ${status} ${JSON.stringify(body)}`)
  const token = String(body.access_token)
  return {
    id: String(body.user_id),
    token,
    ask: (path, options = {}) =>
      ask(gateway + path, {
        ...options,
        headers: { ...(!options.anonymous && { Authorization: `Bearer ${token}` }), ...options.headers },
      }),
  }
}
