import type { LlmUpstream } from '@waybill/dev-env'
import { expect } from 'vitest'

/** The last request that came to the mock upstream holds nothing of Waybill's: no credential but the key, no identity, no trace. */
export function expectClean({ seen }: LlmUpstream, token: string): void {
  const { rawHeaders, url, body } = seen.at(-1)!
  expect(`${rawHeaders.join('\n')} ${url} ${body.toString()}`).not.toContain(token)
  const names = rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase())
  expect(
    names.filter((name) =>
      /^(x-user-id|x-tenant-id|x-service-name|x-request-id|traceparent|tracestate|baggage|cookie)$/.test(
        name,
      ),
    ),
  ).toEqual([])
}
