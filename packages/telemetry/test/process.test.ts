import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { collector, hop } from './stand.ts'
import type { Span } from './stand.ts'

let sink: Awaited<ReturnType<typeof collector>>
beforeEach(async () => {
  sink = await collector()
})
afterEach(() => {
  sink.close()
})

const SERVER = 2
const CLIENT = 3
const of = (service: string, kind: number): Span => {
  const found = sink.spans.filter((span) => span.service === service && span.kind === kind)
  expect(found, `${service} ${String(kind)}`).toHaveLength(1)
  return found[0]!
}

describe('a service that is started with --import @waybill/telemetry/register', () => {
  test('names its server span after the route and says on it which request, for whom and through whom', async () => {
    const service = await hop({ OTEL_SERVICE_NAME: 'things', OTEL_EXPORTER_OTLP_ENDPOINT: sink.url })
    await fetch(`${service.url}/v1/things/7?secret=canary`)
    await service.end()
    const span = of('things', SERVER)
    expect(span.name).toBe('GET /v1/things/:id')
    expect(span.attributes).toMatchObject({
      'http.route': '/v1/things/:id',
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'waybill.request_id': 'journey-1',
      'waybill.subject': 'user:ann',
      'waybill.actors': ['gateway'],
      'waybill.via': 'jwt',
    })
  })

  test('keeps out of its spans what a query says in secret', async () => {
    const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url }
    const second = await hop({ ...environment, OTEL_SERVICE_NAME: 'second' })
    const first = await hop({ ...environment, NEXT: second.url, NEXT_QUERY: '?api_key=canary&q=kept' })
    await fetch(`${first.url}/v1/things/7?access_token=canary&q=kept`)
    await Promise.all([first.end(), second.end()])
    expect(sink.spans.length).toBeGreaterThan(3)
    expect(JSON.stringify(sink.spans)).toContain('q=kept')
    expect(JSON.stringify(sink.spans)).not.toContain('canary')
  })

  test('is the child of the service that called it, by way of the client span and the span around it', async () => {
    const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url }
    const second = await hop({ ...environment, OTEL_SERVICE_NAME: 'second' })
    const first = await hop({ ...environment, OTEL_SERVICE_NAME: 'first', NEXT: second.url })
    const traceId = 'a'.repeat(32)
    await fetch(`${first.url}/v1/things/7`, {
      headers: { traceparent: `00-${traceId}-${'b'.repeat(16)}-01` },
    })
    await Promise.all([first.end(), second.end()])
    const inner = sink.spans.find((span) => span.name === 'database.transaction')!
    expect(of('first', SERVER).parentSpanId).toBe('b'.repeat(16))
    expect(inner.parentSpanId).toBe(of('first', SERVER).spanId)
    expect(of('first', CLIENT).parentSpanId).toBe(inner.spanId)
    expect(of('second', SERVER).parentSpanId).toBe(of('first', CLIENT).spanId)
    expect(new Set(sink.spans.map((span) => span.traceId))).toEqual(new Set([traceId]))
  })

  test('does not trace what asks every few seconds whether it lives', async () => {
    const service = await hop({ OTEL_SERVICE_NAME: 'things', OTEL_EXPORTER_OTLP_ENDPOINT: sink.url })
    for (const path of ['/livez', '/readyz', '/metrics', '/livez?probe=1']) await fetch(service.url + path)
    await fetch(`${service.url}/v1/things/7`)
    await service.end()
    expect(sink.spans.map((span) => span.name)).toEqual(['GET /v1/things/:id'])
  })

  test('sends what is still buffered when it is told to end, and nothing but traces', async () => {
    const service = await hop({
      OTEL_SERVICE_NAME: 'things',
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_BSP_SCHEDULE_DELAY: '600000',
    })
    await fetch(`${service.url}/v1/things/7`)
    await service.end()
    expect(sink.spans).toHaveLength(1)
    expect(new Set(sink.paths)).toEqual(new Set(['/v1/traces']))
  })

  test.each<[string, NodeJS.ProcessEnv]>([
    ['not set', {}],
    ['set to nothing', { OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: '' }],
  ])(
    'pushes nothing anywhere while the endpoint is %s, and still gathers metrics',
    async (_name, environment) => {
      const service = await hop({
        ...environment,
        OTEL_BSP_SCHEDULE_DELAY: '1',
        OTEL_METRIC_EXPORT_INTERVAL: '1',
      })
      await fetch(`${service.url}/v1/things/7`)
      const metrics = await (await fetch(`${service.url}/metrics`)).text()
      expect(metrics).toMatch(/http_server_request_duration\w*_count\{[^}]*http_route="\/v1\/things\/:id"/)
      expect(await service.end()).toContain('dialled 0')
    },
  )

  test('exports to the endpoint for traces alone, too', async () => {
    const service = await hop({
      OTEL_EXPORTER_OTLP_ENDPOINT: '',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${sink.url}/own/traces`,
    })
    await fetch(`${service.url}/v1/things/7`)
    await service.end()
    expect(sink.paths).toEqual(['/own/traces'])
  })

  test('is named after its package while OTEL_SERVICE_NAME is not set', async () => {
    const service = await hop({ OTEL_SERVICE_NAME: '', OTEL_EXPORTER_OTLP_ENDPOINT: sink.url })
    await fetch(`${service.url}/v1/things/7`)
    await service.end()
    expect(sink.spans[0]?.service).toBe('telemetry')
  })

  test('ends in good order although the collector is gone', async () => {
    const service = await hop({ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url })
    sink.close()
    await fetch(`${service.url}/v1/things/7`)
    expect(await service.end()).toContain('dialled')
  })

  test('prints nothing of its own: no warning, no notice', async () => {
    const service = await hop({ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url })
    await fetch(`${service.url}/v1/things/7`)
    expect(await service.end()).toMatch(/^\d+\ndialled \d+\n$/)
  })
})
