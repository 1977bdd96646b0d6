import { readFileSync } from 'node:fs'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { context } from '@opentelemetry/api'
import { isTracingSuppressed, W3CTraceContextPropagator } from '@opentelemetry/core'
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { AlwaysOnSampler } from '@opentelemetry/sdk-trace'
import { isTelemetryRunning, setRunningTelemetry } from './running.ts'

/** Asked all the time by machines, on nobody's behalf: probes, and the feed that every service follows. */
const QUIET_PATHS = ['/livez', '/readyz', '/metrics', '/oauth/revocations']

/** What a query may hold that no span shall: the signatures of the semantic conventions, and secrets by their usual names. */
const SECRET_PARAMETERS = [
  ...['sig', 'Signature', 'AWSAccessKeyId', 'X-Goog-Signature', 'X-Amz-Signature', 'X-Amz-Security-Token'],
  ...['access_token', 'refresh_token', 'id_token', 'token', 'api_key', 'apikey', 'key', 'code'],
  ...['secret', 'client_secret', 'password'],
]

/**
 * Starts OpenTelemetry for this process. Spans are exported only when an OTLP endpoint is set
 * (`OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`); metrics are always gathered, for `/metrics`.
 * No module hooks: only the http instrumentation, which axios and express go through anyway.
 */
export function startTelemetry(env: NodeJS.ProcessEnv = process.env): void {
  if (isTelemetryRunning()) return
  const exports = [env.OTEL_EXPORTER_OTLP_ENDPOINT, env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT].some(isSet)
  const metrics = new PrometheusExporter({ preventServerStart: true })
  const sdk = new NodeSDK({
    serviceName: isSet(env.OTEL_SERVICE_NAME) ? env.OTEL_SERVICE_NAME : packageName(),
    autoDetectResources: false,
    // An exporter that is left out would be made from the environment's defaults and push to localhost.
    ...(exports ? { traceExporter: new OTLPTraceExporter() } : { spanProcessors: [] }),
    // A stranger's traceparent may say "not sampled": nobody shall be able to make requests invisible that way.
    ...(!isSet(env.OTEL_TRACES_SAMPLER) && { sampler: new AlwaysOnSampler() }),
    // Baggage is neither read nor sent: it comes from strangers, and would travel on to every neighbour.
    textMapPropagator: new W3CTraceContextPropagator(),
    metricReaders: [metrics],
    logRecordProcessors: [],
    instrumentations: [
      new HttpInstrumentation({
        ignoreIncomingRequestHook: (request) => QUIET_PATHS.includes(request.url?.split('?')[0] ?? ''),
        // To the outside no span tells of a request; without this it would be measured all the same, which is dear.
        ignoreOutgoingRequestHook: () => isTracingSuppressed(context.active()),
        // Housekeeping outside any request (a key refresh, say) would only add roots that belong to no journey.
        requireParentforOutgoingSpans: true,
        redactedQueryParams: SECRET_PARAMETERS,
        redactedQueryParamsServer: SECRET_PARAMETERS,
      }),
    ],
  })
  sdk.start()
  patchHttp()
  setRunningTelemetry({
    shutdown: () => sdk.shutdown(),
    async metricsText() {
      const { resourceMetrics } = await metrics.collect()
      return new PrometheusSerializer().serialize(resourceMetrics)
    },
  })
}

/** A variable that is set to nothing counts as unset, as everywhere. */
function isSet(value: string | undefined): value is string {
  return value !== undefined && value.trim() !== ''
}

/** The instrumentation patches a module when it is required; whoever only imports it would go untraced. */
function patchHttp(): void {
  const require = createRequire(import.meta.url)
  require('http')
  require('https')
  syncBuiltinESMExports()
}

/** The folder's package name without its scope: `apps/docling` is `docling`. */
function packageName(): string {
  try {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { name?: string }
    return manifest.name?.replace(/^@[^/]+\//, '') ?? 'unknown_service'
  } catch {
    return 'unknown_service'
  }
}
