import { randomBytes } from 'node:crypto'

/** What came back from one request of the demo. */
export interface Answer {
  requestId: string
  status: number
  body: Record<string, unknown>
  headers: Headers
}

export interface Call {
  /** Becomes part of the request id, so that it can be told apart in logs. */
  name: string
  url: string
  method?: 'GET' | 'POST'
  token?: string | undefined
  json?: unknown
  form?: FormData
  headers?: Record<string, string>
}

const PATIENCE_MS = 60_000

/** One request as a client of the platform makes it. Throws when there is no answer at all. */
export async function send(call: Call): Promise<Answer> {
  const requestId = `demo-${call.name}-${randomBytes(4).toString('hex')}`
  const body = call.form ?? (call.json === undefined ? undefined : JSON.stringify(call.json))
  const response = await fetch(call.url, {
    method: call.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      'X-Request-ID': requestId,
      ...(call.token !== undefined && { Authorization: `Bearer ${call.token}` }),
      ...(call.json !== undefined && { 'Content-Type': 'application/json' }),
      ...call.headers,
    },
    ...(body !== undefined && { body }),
    signal: AbortSignal.timeout(PATIENCE_MS),
  })
  const text = await response.text()
  return { requestId, status: response.status, body: parse(text), headers: response.headers }
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return { ...value }
  } catch {
    // Shown as it is: the checks will say that it is not what was expected.
  }
  return { text }
}
