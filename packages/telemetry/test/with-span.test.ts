import { describe, expect, test } from 'vitest'
import {
  activeTrace,
  metricsText,
  setServerRequestId,
  setServerRoute,
  SPAN,
  stopTelemetry,
  withSpan,
} from '../src/index.ts'

describe('while telemetry is not registered', () => {
  test('a span is nothing but its work: what it returns comes back, what it throws is thrown on', async () => {
    expect(await withSpan(SPAN.convert, {}, () => Promise.resolve(42))).toBe(42)
    const error = new Error('unchanged')
    await expect(withSpan(SPAN.convert, {}, () => Promise.reject(error))).rejects.toBe(error)
  })

  test('there is no trace, and naming a span does nothing', async () => {
    setServerRoute('/v1/things/:id')
    setServerRequestId('x')
    expect(activeTrace()).toBeUndefined()
    expect(await metricsText()).toMatch(/^# telemetry is not registered/)
    await stopTelemetry()
  })
})
