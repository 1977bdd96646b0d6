import { SpanStatusCode, trace } from '@opentelemetry/api'
import { ATTRIBUTE } from './names.ts'
import type { AttributeName, SpanName } from './names.ts'

type Attributes = Partial<Record<AttributeName, string | number | boolean | string[]>>

/**
 * Runs `work` inside a span of its own and returns what it returns. What `work` throws is recorded by the class
 * name alone, since a message may quote user data, and thrown on unchanged.
 */
export async function withSpan<T>(
  name: SpanName,
  attributes: Attributes,
  work: () => Promise<T>,
): Promise<T> {
  return trace.getTracer('waybill').startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work()
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR })
      span.setAttribute(ATTRIBUTE.errorType, error instanceof Error ? error.name : typeof error)
      throw error
    } finally {
      span.end()
    }
  })
}
