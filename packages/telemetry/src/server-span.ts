import { context, isSpanContextValid, trace } from '@opentelemetry/api'
import { RPCType, getRPCMetadata } from '@opentelemetry/core'
import { ATTRIBUTE } from './names.ts'

/**
 * Names the current server span after its route (`GET /v1/things/:id`), for the span and for the request metrics:
 * instrumentation-http reads the route when the response ends.
 */
export function setServerRoute(route: string): void {
  const metadata = getRPCMetadata(context.active())
  if (metadata?.type === RPCType.HTTP) metadata.route = route
}

/** Puts the request id on the current server span. */
export function setServerRequestId(requestId: string): void {
  trace.getActiveSpan()?.setAttribute(ATTRIBUTE.requestId, requestId)
}

/** Says on the current server span what the path was, where it must not stand there as it came. */
export function setServerPath(path: string): void {
  trace.getActiveSpan()?.setAttribute(ATTRIBUTE.path, path)
}

/** Puts on the current server span who the request is for and which services act for them. */
export function setServerIdentity(identity: {
  subject: string
  actors: readonly string[]
  via: string
}): void {
  trace.getActiveSpan()?.setAttributes({
    [ATTRIBUTE.subject]: identity.subject,
    [ATTRIBUTE.actors]: [...identity.actors],
    [ATTRIBUTE.via]: identity.via,
  })
}

/** The ids of the active span for a log line or an error answer; nothing when tracing is off. */
export function activeTrace(): { traceId: string; spanId: string } | undefined {
  const span = trace.getActiveSpan()?.spanContext()
  return span && isSpanContextValid(span) ? { traceId: span.traceId, spanId: span.spanId } : undefined
}
