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
      serializers: { err: (error: unknown) => errorFields(error) },
      hooks: { streamWrite: redact },
    },
    destination,
  )
}

const LOGGED_OF_ERRORS = ['message', 'stack', 'code', 'constraint', 'table', 'status']
const DEEPEST_CAUSE = 5

/**
 * What a log line says of an error: these fields and no others. Errors of libraries carry the data they failed on (the
 * `detail`, `where` and `internalQuery` of Postgres, the body of an answer), and people's data is not for a log.
 */
function errorFields(error: unknown, depth = 0): unknown {
  if (typeof error !== 'object' || error === null) return error
  const fields: Record<string, unknown> = { type: error instanceof Error ? error.constructor.name : 'Object' }
  for (const name of LOGGED_OF_ERRORS) {
    const value: unknown = Reflect.get(error, name)
    if (typeof value === 'string' || typeof value === 'number') fields[name] = value
  }
  if (depth === DEEPEST_CAUSE) return fields
  if ('cause' in error && error.cause !== undefined) fields.cause = errorFields(error.cause, depth + 1)
  if (error instanceof AggregateError)
    fields.errors = error.errors.slice(0, 5).map((each: unknown) => errorFields(each, depth + 1))
  return fields
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
