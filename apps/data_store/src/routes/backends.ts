import { user } from '@waybill/auth'
import { dataStore } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Backends } from '../backend.ts'
import type { Collection } from '../collections/collection.ts'
import type { Collections } from '../collections/collections.ts'

export function backendRoutes(backends: Backends, collections: Collections): Route[] {
  const items = [...backends].map(([name, backend]) => ({
    name,
    status: backend ? ('configured' as const) : ('not_configured' as const),
    search: [...(backend?.searchModes ?? [])],
    collections: collections.list(name).map(described),
    undeclared_collections: collections.takesUndeclared(name),
  }))
  return [route(dataStore.listBackends, { auth: user('memory.read'), handle: () => ({ items }) })]
}

function described({ name, scope, permissions, requireIfMatch, schema }: Collection) {
  return { name, scope, permissions, require_if_match: requireIfMatch, schema: schema ?? null }
}
