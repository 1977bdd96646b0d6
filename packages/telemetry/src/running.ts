/** The telemetry that `register` has started in this process. */
export interface Telemetry {
  /** Sends what is still buffered, and stops. */
  shutdown(): Promise<void>
  /** Prometheus text 0.0.4. */
  metricsText(): Promise<string>
}

const FLUSH_LIMIT_MS = 2_000

// One process has one telemetry: --import starts it before any of the service's code is there to hold it.
let running: Telemetry | undefined

export function isTelemetryRunning(): boolean {
  return running !== undefined
}

export function setRunningTelemetry(telemetry: Telemetry): void {
  running = telemetry
}

/** Sends what is still buffered, for two seconds at most, and stops. Safe to call twice, or when nothing was started. */
export async function stopTelemetry(): Promise<void> {
  const stopping = running
  running = undefined
  if (!stopping) return
  // A collector that is already gone must not keep the service from ending: the exporter would try again for ten.
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, FLUSH_LIMIT_MS)))
  await Promise.race([stopping.shutdown().catch(() => undefined), limit])
  clearTimeout(timer)
}

/** The metrics of this process as Prometheus text 0.0.4; a comment when telemetry was not registered. */
export async function metricsText(): Promise<string> {
  return running
    ? running.metricsText()
    : '# telemetry is not registered: start with --import @waybill/telemetry/register\n'
}
