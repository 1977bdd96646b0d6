import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { listPage } from './list-page.ts'
import { send, sendJson, sendPage } from './respond.ts'
import type { TraceStore } from './store.ts'
import { tracePage } from './trace-page.ts'

const LIST_LENGTH = 100

const ASSETS: Record<string, { type: string; file: URL }> = {
  '/page.css': { type: 'text/css', file: new URL('./assets/page.css', import.meta.url) },
  '/page.js': { type: 'text/javascript', file: new URL('./assets/page.js', import.meta.url) },
}

/** Answers a GET: a page, one of its two assets, or the JSON API. */
export function show(url: URL, response: ServerResponse, store: TraceStore): void {
  const [first = '', second = '', third] = url.pathname.split('/').slice(1).map(decode)
  if (first === 'api' && second === 'traces') {
    showJson(third, url.searchParams.get('request_id'), response, store)
    return
  }
  const asset = ASSETS[url.pathname]
  if (asset) {
    send(response, 200, asset.type, readFileSync(asset.file, 'utf8'))
    return
  }
  if (!['', 'requests', 'traces'].includes(first)) {
    sendPage(response, 404, listPage(store.recent(LIST_LENGTH), url.pathname))
    return
  }
  const query = (url.searchParams.get('q') ?? '').trim()
  const wanted = first === '' ? query : second
  if (wanted === '') {
    sendPage(response, 200, listPage(store.recent(LIST_LENGTH)))
    return
  }
  const trace = first === 'requests' ? undefined : store.get(wanted)
  const found = trace ? [trace] : first === 'traces' ? [] : store.byRequestId(wanted)
  if (found.length > 0) sendPage(response, 200, tracePage(wanted, wanted, found))
  else sendPage(response, 404, listPage(store.recent(LIST_LENGTH), wanted))
}

function showJson(
  id: string | undefined,
  requestId: string | null,
  response: ServerResponse,
  store: TraceStore,
) {
  if (id) {
    const trace = store.get(id)
    if (trace) sendJson(response, 200, trace)
    else sendJson(response, 404, { error: `There is no trace ${id} here.` })
    return
  }
  const traces = requestId === null ? store.recent(LIST_LENGTH) : store.byRequestId(requestId)
  sendJson(response, 200, {
    traces: traces.map(({ traceId, requestId: own, hops }) => ({ traceId, requestId: own, hops })),
  })
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
