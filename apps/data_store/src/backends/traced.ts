import { ATTRIBUTE, withSpan } from '@waybill/telemetry'
import type { SpanName } from '@waybill/telemetry'
import type { Backend } from '../backend.ts'
import { around } from './around.ts'

/** The backend with a span around each operation, which has the same name in every backend: `create`, `update_many`, ... */
export function traced(backend: Backend, span: SpanName, system: string): Backend {
  return around(backend, (name, { collection }, work) => {
    const attributes = {
      [ATTRIBUTE.system]: system,
      [ATTRIBUTE.operation]: name,
      [ATTRIBUTE.collection]: collection.name,
    }
    return withSpan(span, attributes, work)
  })
}
