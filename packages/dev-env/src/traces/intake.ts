import type { IncomingMessage, ServerResponse } from 'node:http'
import { spansOf } from './otlp.ts'
import { readBody } from './request-body.ts'
import { RequestError } from './request-error.ts'
import { sendJson } from './respond.ts'
import type { TraceStore } from './store.ts'

const BODY_LIMIT_BYTES = 16 * 1024 ** 2

/**
 * Takes an OTLP/HTTP export: traces go to the store, metrics and logs nowhere. Throws RequestError
 * (400, 413, 415) for what is none.
 */
export async function receive(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  store: TraceStore,
) {
  if (!['/v1/traces', '/v1/metrics', '/v1/logs'].includes(path)) {
    sendJson(response, 404, { error: `Nothing is received at ${path}; traces go to /v1/traces.` })
    return
  }
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') {
    throw new RequestError(415, 'Only OTLP in JSON is taken here: set OTEL_EXPORTER_OTLP_PROTOCOL=http/json.')
  }
  const text = await readBody(request, BODY_LIMIT_BYTES)
  if (path === '/v1/traces') store.add(spansOf(parseJson(text)))
  sendJson(response, 200, {})
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new RequestError(400, 'The body is no JSON.')
  }
}
