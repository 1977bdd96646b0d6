import { metrics } from '@opentelemetry/api'
import type { AttributeName, MetricName } from './names.ts'

/** Counts one event; seen at `/metrics`. The attributes must have few values: each combination is a series of its own. */
export function countEvent(name: MetricName, attributes: Partial<Record<AttributeName, string>> = {}): void {
  metrics.getMeter('waybill').createCounter(name).add(1, attributes)
}
