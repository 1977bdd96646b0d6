import { hopsOf, type Hop } from './hops.ts'
import type { Span } from './otlp.ts'

/** A trace as the API gives it. */
export interface Trace {
  traceId: string
  /** The request id of its first hop. */
  requestId: string | null
  hops: Hop[]
  /** All spans, servers' and others', by time of start. */
  spans: Span[]
}

export interface TraceStore {
  add: (spans: readonly Span[]) => void
  /** One trace by its id of 32 hexadecimal digits. */
  get: (traceId: string) => Trace | undefined
  /** All traces with that request id, oldest first. */
  byRequestId: (requestId: string) => Trace[]
  /** The newest `limit` traces that have a hop, newest first. */
  recent: (limit: number) => Trace[]
}

/** A trace that never ends must not take the memory of all the others. */
const MAX_SPANS_PER_TRACE = 2_000

/** Keeps the newest `maxTraces` traces in memory; older ones go first, and more than 2,000 spans of one trace are dropped. */
export function createTraceStore(maxTraces: number): TraceStore {
  const traces = new Map<string, Map<string, Span>>()

  const traceOf = (traceId: string, found: ReadonlyMap<string, Span>): Trace => {
    const spans = [...found.values()].sort((a, b) => a.start - b.start)
    const hops = hopsOf(spans)
    return { traceId, requestId: hops.find((hop) => hop.requestId !== null)?.requestId ?? null, hops, spans }
  }

  return {
    add(spans) {
      for (const span of spans) {
        let trace = traces.get(span.traceId)
        if (!trace) traces.set(span.traceId, (trace = new Map<string, Span>()))
        if (trace.size < MAX_SPANS_PER_TRACE) trace.set(span.spanId, span)
      }
      for (const oldest of traces.keys()) {
        if (traces.size <= maxTraces) break
        traces.delete(oldest)
      }
    },
    get(traceId) {
      const found = traces.get(traceId.toLowerCase())
      return found && traceOf(traceId.toLowerCase(), found)
    },
    byRequestId(requestId) {
      return [...traces]
        .filter(([, spans]) =>
          [...spans.values()].some((s) => s.attributes['waybill.request_id'] === requestId),
        )
        .map(([traceId, spans]) => traceOf(traceId, spans))
    },
    recent(limit) {
      const newest: Trace[] = []
      for (const [traceId, spans] of [...traces].reverse()) {
        if (newest.length >= limit) break
        const trace = traceOf(traceId, spans)
        if (trace.hops.length > 0) newest.push(trace)
      }
      return newest
    },
  }
}
