import { RequestError } from './request-error.ts'

/** A span as the store keeps it: of OTLP what the page and its API speak of. */
export interface Span {
  traceId: string
  spanId: string
  parentSpanId: string | null
  service: string
  name: string
  kind: SpanKind
  /** Milliseconds since 1970, with fractions. */
  start: number
  /** Milliseconds since 1970, with fractions. */
  end: number
  failed: boolean
  attributes: Record<string, AttributeValue>
}

type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'
export type AttributeValue = string | number | boolean | readonly AttributeValue[]

type Json = Record<string, unknown>

const KINDS: readonly SpanKind[] = ['internal', 'internal', 'server', 'client', 'producer', 'consumer']

/**
 * The spans of an ExportTraceServiceRequest in OTLP's JSON encoding: ids in hex, times in nanoseconds as decimal text,
 * unknown fields ignored. Throws RequestError (400) when there is no `resourceSpans`, or a span without usable ids or times.
 */
export function spansOf(body: unknown): Span[] {
  if (!isObject(body) || !Array.isArray(body.resourceSpans))
    throw new RequestError(400, 'resourceSpans is missing.')
  return objects(body.resourceSpans).flatMap((group) => {
    const resource = isObject(group.resource) ? attributesOf(group.resource.attributes) : {}
    const service =
      typeof resource['service.name'] === 'string' ? resource['service.name'] : 'unknown_service'
    return objects(group.scopeSpans)
      .flatMap((scope) => objects(scope.spans))
      .map((span) => spanOf(span, service))
  })
}

function spanOf(span: Json, service: string): Span {
  const status = isObject(span.status) ? span.status.code : undefined
  return {
    traceId: hexId(span.traceId, 32, 'traceId'),
    spanId: hexId(span.spanId, 16, 'spanId'),
    parentSpanId: span.parentSpanId ? hexId(span.parentSpanId, 16, 'parentSpanId') : null,
    service,
    name: typeof span.name === 'string' ? span.name : '',
    kind: kindOf(span.kind),
    start: milliseconds(span.startTimeUnixNano, 'startTimeUnixNano'),
    end: milliseconds(span.endTimeUnixNano, 'endTimeUnixNano'),
    failed: status === 2 || status === 'STATUS_CODE_ERROR',
    attributes: attributesOf(span.attributes),
  }
}

function hexId(value: unknown, length: number, field: string): string {
  if (typeof value === 'string' && value.length === length && /^[0-9a-f]+$/i.test(value))
    return value.toLowerCase()
  throw new RequestError(400, `${field} must be ${length} hexadecimal digits.`)
}

/** Numbers as the specification wants them, or the names of the enum, which some exporters send. */
function kindOf(value: unknown): SpanKind {
  if (typeof value === 'number') return KINDS[value] ?? 'internal'
  const name = String(value).replace('SPAN_KIND_', '').toLowerCase()
  return KINDS.find((kind) => kind === name) ?? 'internal'
}

function milliseconds(value: unknown, field: string): number {
  const text = typeof value === 'number' ? String(BigInt(Math.round(value))) : value
  if (typeof text !== 'string' || !/^\d{1,20}$/.test(text))
    throw new RequestError(400, `${field} must be nanoseconds.`)
  // Split first: nanoseconds since 1970 do not fit a double.
  const nanoseconds = BigInt(text)
  return Number(nanoseconds / 1_000_000n) + Number(nanoseconds % 1_000_000n) / 1e6
}

function attributesOf(list: unknown): Record<string, AttributeValue> {
  const entries = objects(list).flatMap(({ key, value }) => {
    const plain = valueOf(value)
    return typeof key === 'string' && plain !== undefined ? [[key, plain] as const] : []
  })
  return Object.fromEntries(entries)
}

function valueOf(value: unknown): AttributeValue | undefined {
  if (!isObject(value)) return undefined
  const { stringValue, intValue, doubleValue, boolValue, arrayValue } = value
  if (typeof stringValue === 'string') return stringValue
  if (typeof intValue === 'number' || typeof intValue === 'string') return Number(intValue)
  if (typeof doubleValue === 'number') return doubleValue
  if (typeof boolValue === 'boolean') return boolValue
  if (isObject(arrayValue)) return objects(arrayValue.values).flatMap((item) => valueOf(item) ?? [])
  return undefined
}

function objects(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter((item) => isObject(item)) : []
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
