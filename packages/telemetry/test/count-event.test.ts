import { afterAll, beforeAll, expect, test } from 'vitest'
import { ATTRIBUTE, countEvent, METRIC, metricsText, stopTelemetry } from '../src/index.ts'
import { startTelemetry } from '../src/sdk.ts'

beforeAll(() => {
  // Before there is anybody to count, it counts nothing and fails nothing.
  countEvent(METRIC.lockout)
  startTelemetry({})
})
afterAll(() => stopTelemetry())

test('what is counted is seen at /metrics, each outcome by itself', async () => {
  countEvent(METRIC.login, { [ATTRIBUTE.outcome]: 'success' })
  countEvent(METRIC.login, { [ATTRIBUTE.outcome]: 'failure' })
  countEvent(METRIC.login, { [ATTRIBUTE.outcome]: 'failure' })
  countEvent(METRIC.lockout)
  const text = await metricsText()
  expect(text).toMatch(/^waybill_logins_total\{.*waybill_outcome="success".*\} 1( \d+)?$/m)
  expect(text).toMatch(/^waybill_logins_total\{.*waybill_outcome="failure".*\} 2( \d+)?$/m)
  expect(text).toMatch(/^waybill_lockouts_total(\{.*\})? 1( \d+)?$/m)
})
