import { html, type Html } from './html.ts'
import { duration, layout, statusBadge, subjectCode } from './layout.ts'
import { rowsOf, type Row } from './rows.ts'
import type { Trace } from './store.ts'

/** The waterfall of one trace, or of all traces of one request id. */
export function tracePage(title: string, query: string, traces: readonly Trace[]): string {
  return layout(title, query, html`${traces.map((trace) => waterfall(trace))}`).markup
}

function waterfall(trace: Trace): Html {
  const rows = rowsOf(trace)
  const start = Math.min(...trace.spans.map((span) => span.start))
  const total = Math.max(...trace.spans.map((span) => span.end)) - start
  const root = trace.hops[0]
  return html`<section>
    <h1>
      ${root ? html`${root.method} <b>${root.route}</b> ${statusBadge(root.status)}` : 'A trace without a server'}
    </h1>
    <dl>
      <dt>Request id</dt>
      <dd>
        ${trace.requestId ? html`<a href="/requests/${encodeURIComponent(trace.requestId)}"><code>${trace.requestId}</code></a>` : 'none'}
      </dd>
      <dt>Trace id</dt>
      <dd>
        <a href="/traces/${trace.traceId}"><code>${trace.traceId}</code></a>
      </dd>
      <dt>Started</dt>
      <dd><time datetime="${new Date(start).toISOString()}">${new Date(start).toISOString()}</time></dd>
      <dt>Took</dt>
      <dd>${duration(total)}, ${trace.hops.length} ${trace.hops.length === 1 ? 'hop' : 'hops'}</dd>
    </dl>
    <label class="inner-switch"><input type="checkbox" /> Show what happens inside the services</label>
    <div class="scroll">
      <table class="waterfall">
        <thead>
          <tr>
            <th>Service</th>
            <th>Route</th>
            <th>Status</th>
            <th class="number">Duration</th>
            <th class="timeline">0 – ${duration(total)}</th>
            <th>Subject</th>
            <th>Actors, nearest first</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map((row) => line(row, hopDepth(row, rows), start, total))}
        </tbody>
      </table>
    </div>
  </section>`
}

/** While inner spans are hidden, a hop is indented by hops, not by the client spans in between. */
function hopDepth(row: Row, rows: readonly Row[]): number {
  let depth = 0
  for (let parent = row.hop?.parentSpanId; parent; depth += 1) {
    const above = parent
    parent = rows.find(({ span }) => span.spanId === above)?.hop?.parentSpanId
  }
  return Math.min(depth, 9)
}

function line({ span, depth, hop }: Row, hopLevel: number, start: number, total: number): Html {
  const indent = `h${hopLevel} d${Math.min(depth, 20)}`
  const from = percent(span.start - start, total)
  // What is too short to be seen gets half a percent.
  const width = Math.max(0.5, percent(span.end - span.start, total))
  const bar = html`<svg class="bar" role="img" aria-label="from ${duration(span.start - start)}">
    <rect x="${from.toFixed(2)}%" width="${width.toFixed(2)}%" y="25%" height="50%" rx="2" />
  </svg>`
  const kind = span.failed ? 'failed' : ''
  if (!hop) {
    return html`<tr class="inner ${kind}">
      <td class="${indent}"><span class="indent"></span>${span.service}</td>
      <td>${span.name} <small>${span.kind}</small></td>
      <td>${span.failed ? html`<span class="status s5">error</span>` : null}</td>
      <td class="number">${duration(span.end - span.start)}</td>
      <td class="timeline">${bar}</td>
      <td></td>
      <td></td>
    </tr>`
  }
  return html`<tr class="hop ${kind}">
    <td class="${indent}"><span class="indent"></span><b>${hop.service}</b></td>
    <td>${hop.method} ${hop.route}</td>
    <td>${statusBadge(hop.status)}</td>
    <td class="number">${duration(hop.ms)}</td>
    <td class="timeline">${bar}</td>
    <td>${subjectCode(hop.subject)}</td>
    <td>${hop.actors.length > 0 ? hop.actors.join(' ← ') : '–'}</td>
  </tr>`
}

function percent(part: number, total: number): number {
  return total > 0 ? (part / total) * 100 : 0
}
