import type { AttributeValue, Span } from './otlp.ts'

/** One stop of a request: the server span of one service. */
export interface Hop {
  spanId: string
  /** The nearest server span above it: the service that called, not the client span in between. Null at the root. */
  parentSpanId: string | null
  service: string
  method: string
  /** The route's pattern; the path when no route matched. */
  route: string
  /** HTTP status; null when the connection broke before there was one. */
  status: number | null
  /** Duration in milliseconds. */
  ms: number
  /** ISO 8601. */
  startedAt: string
  /** `user:<id>` or `service:<name>`; null when nobody was authenticated. */
  subject: string | null
  /** The services that act for the subject, nearest first. */
  actors: string[]
  requestId: string | null
}

/** The hops of one trace, by time of start. */
export function hopsOf(spans: readonly Span[]): Hop[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  return spans
    .filter((span) => span.kind === 'server')
    .sort((a, b) => a.start - b.start)
    .map((span) => ({
      spanId: span.spanId,
      parentSpanId: serverAbove(span, byId)?.spanId ?? null,
      service: span.service,
      method: text(span.attributes['http.request.method']) ?? (isRpc(span) ? 'gRPC' : ''),
      route: isRpc(span)
        ? span.name
        : (text(span.attributes['http.route']) ?? text(span.attributes['url.path']) ?? ''),
      status: number(span.attributes['http.response.status_code']),
      ms: Math.round((span.end - span.start) * 1000) / 1000,
      startedAt: new Date(span.start).toISOString(),
      subject: text(span.attributes['waybill.subject']),
      actors: texts(span.attributes['waybill.actors']),
      requestId: text(span.attributes['waybill.request_id']),
    }))
}

/** Named after its method in full, and without a status of HTTP. */
function isRpc(span: Span): boolean {
  return text(span.attributes['rpc.system']) === 'grpc'
}

function serverAbove(span: Span, byId: ReadonlyMap<string, Span>): Span | undefined {
  const seen = new Set([span.spanId])
  for (let next = above(span, byId); next && !seen.has(next.spanId); next = above(next, byId)) {
    if (next.kind === 'server') return next
    // What comes over the network may well claim to be its own ancestor.
    seen.add(next.spanId)
  }
  return undefined
}

function above(span: Span, byId: ReadonlyMap<string, Span>): Span | undefined {
  return span.parentSpanId === null ? undefined : byId.get(span.parentSpanId)
}

function text(value: AttributeValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

function number(value: AttributeValue | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}

function texts(value: AttributeValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
}
