import { startInference } from '@waybill/telemetry'
import type { Inference } from '@waybill/telemetry'
import type { ProviderDefinition } from '../providers/provider-definition.ts'
import type { RelayCall } from './call.ts'

/** The span and the measurements of a call; none where nobody knows what is asked. */
export function inferenceOf({ operation, provider, model, stream, draft }: RelayCall): Inference | undefined {
  if (operation === 'other') return undefined
  const server = serverOf(provider)
  return startInference({
    ...{ operation, model, stream, server },
    provider: provider.telemetryName,
    body: draft?.body,
  })
}

const servers = new WeakMap<ProviderDefinition, { address: string; port: number }>()

/** Where a provider is, in the names of telemetry. */
export function serverOf(provider: ProviderDefinition): { address: string; port: number } {
  const known = servers.get(provider)
  if (known) return known
  const { hostname, port, protocol } = new URL(provider.baseUrl)
  const server = { address: hostname, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) }
  servers.set(provider, server)
  return server
}
