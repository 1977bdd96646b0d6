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
      isOnTheWay(hops, way) && hops.every((hop) => hop.parentSpanId !== null || hop.service === way[0])
    if (isWhole || Date.now() > givenUp) return found
    await delay(POLL_MS)
  }
}

/** Whether the hops hold a chain of calls along `way`, from a root on. */
export function isOnTheWay(
  hops: readonly Hop[],
  way: readonly ServiceName[],
  under: string | null = null,
): boolean {
  const [next, ...rest] = way
  if (next === undefined) return true
  return hops.some(
    (hop) => hop.service === next && hop.parentSpanId === under && isOnTheWay(hops, rest, hop.spanId),
  )
}

/** What must hold of every trace: one of them, one root, one request id, the way, and the actors along it. */
export function traceFailures(
  found: readonly Found[],
  requestId: string,
  way: readonly ServiceName[],
): string[] {
  const hops = found[0]?.hops ?? []
  const last = hops.findLast((hop) => hop.service === way.at(-1) && hop.subject !== null)
  const checks: Record<string, boolean> = {
    'there is one trace': found.length === 1,
    'it has one root': hops.filter((hop) => hop.parentSpanId === null).length === 1,
    'every hop has the same request id': hops.every((hop) => hop.requestId === requestId),
    [`it goes ${way.join(' > ')}`]: isOnTheWay(hops, way),
    'the last hop knows who acts': !last || last.actors.join() === way.slice(0, -1).reverse().join(),
  }
  return failed(checks)
}

/** The words of what is false. */
export function failed(checks: Record<string, boolean>): string[] {
  return Object.entries(checks).flatMap(([words, holds]) => (holds ? [] : [words]))
}
