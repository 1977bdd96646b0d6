import type { Journey } from './journey.ts'

interface Report {
  ok: boolean
  journeys: {
    name: string
    requestId: string
    traceId: string
    hops: {
      service: string
      method: string
      route: string
      status: number | null
      ms: number
      subject: string | null
      actors: string[]
    }[]
    failures: string[]
  }[]
}

/** The demo as one document for programs. */
export function jsonReport(journeys: readonly Journey[]): Report {
  return {
    ok: journeys.every(({ failures }) => failures.length === 0),
    journeys: journeys.map(({ hops, ...journey }) => ({
      ...journey,
      hops: hops.map(({ service, method, route, status, ms, subject, actors }) => {
        return { service, method, route, status, ms, subject, actors }
      }),
    })),
  }
}

const HEADINGS = ['service', 'route', 'status', 'ms', 'subject', 'acting for them']

/** One journey as a table for people: a line per hop, indented as the calls are. */
export function table(journey: Journey): string {
  const depths = new Map<string | null, number>([[null, -1]])
  const rows = journey.hops.map((hop) => {
    const depth = (depths.get(hop.parentSpanId) ?? -1) + 1
    depths.set(hop.spanId, depth)
    return [
      '  '.repeat(depth) + hop.service,
      `${hop.method} ${hop.route}`,
      String(hop.status ?? 'none'),
      hop.ms.toFixed(1),
      shorten(hop.subject ?? ''),
      hop.actors.join(' < '),
    ]
  })
  const widths = HEADINGS.map((heading, at) =>
    Math.max(heading.length, ...rows.map((row) => row[at]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    `    ${cells.map((cell, at) => (at === 3 ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0))).join('  ')}`.trimEnd()
  return [`    request id ${journey.requestId}`, line(HEADINGS), ...rows.map(line)].join('\n')
}

/** `user:0199...7c21`: enough to see that it is the same one. */
function shorten(subject: string): string {
  return subject.length > 18 ? `${subject.slice(0, 9)}..${subject.slice(-4)}` : subject
}
