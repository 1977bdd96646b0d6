import { user } from '@waybill/auth'
import { dataStore } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Backends } from '../backend.ts'

export function backendRoutes(backends: Backends): Route[] {
  const items = [...backends].map(([name, backend]) => ({
    name,
    status: backend ? ('configured' as const) : ('not_configured' as const),
    search: backend?.search ? ['vector' as const] : [],
  }))
  return [route(dataStore.listBackends, { auth: user('memory.read'), handle: () => ({ items }) })]
}
