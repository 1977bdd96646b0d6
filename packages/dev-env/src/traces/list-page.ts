import { html, type Html } from './html.ts'
import { duration, layout, statusBadge, subjectCode } from './layout.ts'
import type { Trace } from './store.ts'

/** The newest requests; with `missing` the note that no request or trace has that id. */
export function listPage(traces: readonly Trace[], missing = ''): string {
  const note = missing && html`<p class="note">There is no request or trace <code>${missing}</code> here.</p>`
  const content = html`
    <h1>Requests</h1>
    ${note || null}
    ${traces.length === 0 ? html`<p class="note">None yet. Send one through the gateway; it shows up here.</p>` : null}
    <table class="requests" data-live>
      <thead>
        <tr>
          <th>Time</th>
          <th>Request</th>
          <th>Status</th>
          <th class="number">Duration</th>
          <th>Services</th>
          <th>Subject</th>
          <th>Request id</th>
        </tr>
      </thead>
      <tbody>
        ${traces.map((trace) => row(trace))}
      </tbody>
    </table>
  `
  return layout('Requests', missing, content).markup
}

function row(trace: Trace): Html {
  const root = trace.hops[0]
  if (!root) return html``
  const services = [...new Set(trace.hops.map((hop) => hop.service))]
  const subject = trace.hops.find((hop) => hop.subject !== null)?.subject
  const link = `/traces/${trace.traceId}`
  return html`<tr>
    <td><time datetime="${root.startedAt}">${root.startedAt.slice(11, 23)}</time></td>
    <td>
      <a href="${link}">${root.method} <b>${root.route}</b></a>
    </td>
    <td>${statusBadge(root.status)}</td>
    <td class="number">${duration(root.ms)}</td>
    <td>${services.join(' → ')}</td>
    <td>${subjectCode(subject)}</td>
    <td>
      ${trace.requestId ? html`<a href="/requests/${encodeURIComponent(trace.requestId)}"><code>${trace.requestId}</code></a>` : '–'}
    </td>
  </tr>`
}
