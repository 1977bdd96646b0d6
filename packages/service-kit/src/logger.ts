import { activeTrace } from '@waybill/telemetry'
import { pino } from 'pino'
import type { DestinationStream, Logger } from 'pino'
import pretty from 'pino-pretty'
import { requestContext } from './context.ts'
import { redact } from './redact.ts'

export type { Logger } from 'pino'

export interface LoggerOptions {
  service: string
  level?: string
  /** Where lines go; stdout unless said, readable when it is a terminal and JSON otherwise. */
  destination?: DestinationStream
}

/**
 * The service's logger. Every line carries the service, and inside a request its id, trace and user; every line
 * passes through `redact` on its way out, so no call site can leak a credential by forgetting to mask it.
 */
export function createLogger(options: LoggerOptions): Logger {
  const destination = options.destination ?? (process.stdout.isTTY ? pretty({ sync: true }) : process.stdout)
  return pino(
    {
      level: options.level ?? 'info',
      base: { service: options.service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: correlation,
      hooks: { streamWrite: redact },
    },
    destination,
  )
}

function correlation(): Record<string, string> {
  const fields: Record<string, string> = {}
  const context = requestContext()
  if (context) {
    fields.request_id = context.requestId
    if (context.principal?.kind === 'user') fields.user_id = context.principal.userId
  }
  const trace = activeTrace()
  if (trace) {
    fields.trace_id = trace.traceId
    fields.span_id = trace.spanId
  }
  return fields
}
