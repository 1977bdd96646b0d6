import { ATTRIBUTE, SPAN, withSpan } from '@waybill/telemetry'

/** A span of its own around work that deserves one; what is thrown is recorded by its class alone, and thrown on. */
export function convert(collection: string, work: () => Promise<string>): Promise<string> {
  return withSpan(SPAN.convert, { [ATTRIBUTE.collection]: collection }, work)
}
