import type { ServiceName } from '@waybill/contracts'
import { setTimeout as delay } from 'node:timers/promises'
import type { Hop } from '../traces/hops.ts'

/** One request of the demo as it was seen from the outside and in its trace. */
export interface Journey {
  name: string
  requestId: string
  traceId: string
  hops: Hop[]
  /** What did not hold; empty when all is well. */
  failures: string[]
}

interface Found {
  traceId: string
  hops: Hop[]
}

const POLL_MS = 100
const PATIENCE_MS = 15_000

/** The trace of a request, once the spans of its whole way have come in; what there is when they never all do. */
export async function traceOf(
  traces: string,
  requestId: string,
  way: readonly ServiceName[],
): Promise<Found[]> {
  const givenUp = Date.now() + PATIENCE_MS
  for (;;) {
    const response = await fetch(`${traces}/api/traces?request_id=${encodeURIComponent(requestId)}`)
    const { traces: found } = (await response.json()) as { traces: Found[] }
    const hops = found.flatMap((trace) => trace.hops)
    const isWhole =
      chainAlong(hops, way) !== undefined &&
      hops.every((hop) => hop.parentSpanId !== null || hop.service === way[0])
    if (isWhole || Date.now() > givenUp) return found
    await delay(POLL_MS)
  }
}

/** The hops of one chain of calls along `way`, from a root on; undefined when there is none. */
export function chainAlong(
  hops: readonly Hop[],
  way: readonly ServiceName[],
  under: string | null = null,
): Hop[] | undefined {
  const [next, ...rest] = way
  if (next === undefined) return []
  for (const hop of hops) {
    if (hop.service !== next || hop.parentSpanId !== under) continue
    const further = chainAlong(hops, rest, hop.spanId)
    if (further) return [hop, ...further]
  }
  return undefined
}

/** What must hold of every trace: one of them, one root, one request id, the way; and who it was for, at every hop. */
export function traceFailures(
  found: readonly Found[],
  { requestId, way, subject }: { requestId: string; way: readonly ServiceName[]; subject: string | null },
): string[] {
  const hops = found[0]?.hops ?? []
  const chain = chainAlong(hops, way)
  const checks: Record<string, boolean> = {
    'there is one trace': found.length === 1,
    'it has one root': hops.filter((hop) => hop.parentSpanId === null).length === 1,
    'every hop has the same request id': hops.every((hop) => hop.requestId === requestId),
    [`it goes ${way.join(' > ')}`]: chain !== undefined,
    [`every hop of the way is for ${subject ?? 'nobody'}`]:
      chain?.every((hop) => hop.subject === subject) ?? false,
    'every hop of the way knows who acts':
      chain?.every((hop, at) => isActedBy(hop, way.slice(0, at), subject)) ?? false,
  }
  return failed(checks)
}

/** Nearest first; without a subject there is nobody to act for. */
function isActedBy(hop: Hop, before: readonly ServiceName[], subject: string | null): boolean {
  return hop.actors.join() === (subject === null ? '' : before.toReversed().join())
}

/** The words of what is false. */
export function failed(checks: Record<string, boolean>): string[] {
  return Object.entries(checks).flatMap(([words, holds]) => (holds ? [] : [words]))
}
