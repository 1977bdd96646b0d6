import { DELEGATION } from '@waybill/auth'
import type { ServiceName } from '@waybill/contracts'
import { runDemo } from '@waybill/dev-env'
import type { Hop, Journey } from '@waybill/dev-env'
import { beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { TOKEN_EDGES, WORK_EDGES } from '../src/edges.ts'
import type { Edge } from '../src/edges.ts'
import { newUser } from '../src/user.ts'

const platform = inject('platform')
const named = (edges: readonly Edge[]): Set<string> => new Set(edges.map((edge) => edge.join(' -> ')))

let journeys: Journey[]
let hops: Hop[]

beforeAll(async () => {
  journeys = await runDemo(platform, { begins: () => undefined, ended: () => undefined })
  // The demo asks data_store only through others; the gateway's own edge to it is walked here.
  const user = await newUser(platform.services.gateway)
  const requestId = `e2e-direct-${user.id.slice(0, 8)}`
  await user.ask('/data/v1/postgres/collections/notes/records', { headers: { 'X-Request-ID': requestId } })
  const direct = await hopsAlong(requestId, ['gateway', 'data_store'])
  hops = [...journeys.flatMap((journey) => journey.hops), ...direct]
})

/** The hops of a request once those of `services` have come in: each exports its spans in batches. */
function hopsAlong(requestId: string, services: readonly ServiceName[]): Promise<Hop[]> {
  return vi.waitFor(
    async () => {
      const answer = await fetch(`${platform.traces}/api/traces?request_id=${requestId}`)
      const { traces } = (await answer.json()) as { traces: { hops: Hop[] }[] }
      const found = traces.flatMap((trace) => trace.hops)
      expect(found.map((hop) => hop.service)).toEqual(expect.arrayContaining([...services]))
      return found
    },
    { timeout: 20_000, interval: 100 },
  )
}

describe('a request carries its waybill', () => {
  it('every journey of the demo holds', () => {
    expect(
      journeys.flatMap(({ name, failures }) => failures.map((failure) => `${name}: ${failure}`)),
    ).toEqual([])
  })

  it('every server span of a journey has its request id, and exactly one is the root', () => {
    for (const { name, requestId, hops: own } of journeys) {
      expect([name, ...new Set(own.map((hop) => hop.requestId))]).toEqual([name, requestId])
      expect([name, own.filter((hop) => hop.parentSpanId === null).length]).toEqual([name, 1])
    }
  })

  it('the calls seen in traces are those of the edge matrix, all of them and no others', () => {
    const bySpan = new Map(hops.map((hop) => [hop.spanId, hop]))
    const seen = new Set(
      hops.flatMap((hop) => {
        const caller = hop.parentSpanId === null ? undefined : bySpan.get(hop.parentSpanId)
        return caller ? [`${caller.service} -> ${hop.service}`] : []
      }),
    )
    const allowed = named([...WORK_EDGES, ...TOKEN_EDGES])
    expect([...seen].filter((edge) => !allowed.has(edge))).toEqual([])
    expect([...named(WORK_EDGES)].filter((edge) => !seen.has(edge))).toEqual([])
  })

  it('the delegation policy allows exactly the edges of the matrix', () => {
    const policy = Object.entries(DELEGATION).flatMap(([caller, { audiences }]) =>
      Object.keys(audiences).map((callee) => `${caller} -> ${callee}`),
    )
    expect(policy.sort()).toEqual([...named(WORK_EDGES)].sort())
  })
})
