import type { Hop } from './hops.ts'
import type { Span } from './otlp.ts'
import type { Trace } from './store.ts'

/** A line of the waterfall: a span in the order of the tree. */
export interface Row {
  span: Span
  depth: number
  hop: Hop | undefined
}

/** The spans of a trace depth first, siblings by time; those whose parent never arrived count as roots. */
export function rowsOf({ spans, hops }: Trace): Row[] {
  const hopById = new Map(hops.map((hop) => [hop.spanId, hop]))
  const ids = new Set(spans.map((span) => span.spanId))
  const children = Map.groupBy(spans, (span) =>
    span.parentSpanId !== null && ids.has(span.parentSpanId) ? span.parentSpanId : '',
  )
  const rows: Row[] = []
  const visit = (parent: string, depth: number) => {
    for (const span of children.get(parent) ?? []) {
      rows.push({ span, depth, hop: hopById.get(span.spanId) })
      visit(span.spanId, depth + 1)
    }
  }
  visit('', 0)
  return rows
}
