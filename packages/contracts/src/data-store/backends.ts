import { z } from 'zod'
import { endpoint } from '../endpoint.ts'
import { backendName, collectionName, SERVICE } from './names.ts'
import { searchMode } from './search.ts'

/** Whose a record is: of the user, or of everybody in the tenant or the workspace that the credential names. */
export const ownerScope = z.enum(['user', 'tenant', 'workspace'])

/** A declared collection, as its users need to know it. */
export const collection = z.object({
  name: collectionName,
  scope: ownerScope,
  permissions: z.object({ read: z.string(), write: z.string() }),
  /** Nothing is changed or deleted without If-Match. */
  require_if_match: z.boolean(),
  /** The JSON Schema (2020-12) of `data`; null where any object is taken. */
  schema: z.record(z.string(), z.unknown()).nullable(),
})

export const backend = z.object({
  name: backendName,
  /** `not_configured` ones answer 501. */
  status: z.enum(['configured', 'not_configured']),
  /** What POST .../search can do there. */
  search: z.array(searchMode),
  collections: z.array(collection),
  /** Whether a collection that is not declared begins with its first record; else it is 404. */
  undeclared_collections: z.boolean(),
})

export const listBackends = endpoint({
  service: SERVICE,
  method: 'GET',
  path: '/v1/backends',
  summary: 'The backends that records can be kept in, and the collections that are declared there',
  output: z.object({ items: z.array(backend) }),
  permission: 'memory.read',
})
