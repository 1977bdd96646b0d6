import { hasPermission } from '@waybill/auth'
import type { AuditEntry } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import type { Backend, Backends, Operation } from '../backend.ts'
import type { Collection, OwnerScope } from '../collections/collection.ts'
import type { Collections } from '../collections/collections.ts'
import type { Journal } from '../audit/journal.ts'

/** Where: a collection in one of the backends. */
export interface Place {
  backend: string
  collection: string
}

/** `readWrite`: a change whose answer, or whose filter, tells what is there. */
export type Need = 'read' | 'write' | 'readWrite'

/** What somebody is about to do. */
export interface Intended {
  action: string
  /** What must be held of the collection's permissions. */
  needs: Need
  /** Of the one record that is meant. */
  id?: string | undefined
  /** For the audit: what else there is to say of it, no contents. */
  details?: AuditEntry['details']
  /** Whose records the request says they are. */
  owners?: readonly (string | undefined)[]
}

export interface Admitted {
  backend: Backend
  operation: Operation
  /** False where the credential does not name the tenant or workspace that records here belong to: there is nothing to see. */
  hasOwner: boolean
}

/** Says whether somebody may do something somewhere, and whose records are meant. */
export interface Admission {
  /**
   * @throws Problem `not_found` for a backend or collection that there is not, `not_implemented` for a backend that is not
   *   configured; `insufficient_permission` and `forbidden` when it is not for them to do, which leaves a row in the audit
   */
  admit(principal: UserPrincipal, place: Place, intended: Intended): Promise<Admitted>
}

interface AdmissionOptions {
  backends: Backends
  collections: Collections
  journal: Journal
}

export function createAdmission({ backends, collections, journal }: AdmissionOptions): Admission {
  return {
    async admit(principal, place, intended) {
      const backend = backendFor(backends, place.backend)
      const collection = collections.find(place.backend, place.collection)
      if (!collection) {
        throw new Problem('not_found', `There is no collection ${place.collection} in ${place.backend}.`)
      }
      const owner = ownerIn(collection.scope, principal)
      const { action, id, details } = intended
      const resource = [place.backend, place.collection, ...(id === undefined ? [] : [id])].join('/')
      const succeeded = { action, resource, outcome: 'success' as const, ...(details && { details }) }
      const operation = { principal, collection, owner: owner ?? '', succeeded }
      const refusal = refusalOf(principal, collection, owner, intended)
      if (refusal) return journal.refused(operation, refusal)
      return { backend, operation, hasOwner: owner !== undefined }
    },
  }
}

function backendFor(backends: Backends, name: string): Backend {
  const backend = backends.get(name)
  if (backend) return backend
  if (backends.has(name)) throw new Problem('not_implemented', `The backend ${name} is not configured.`)
  throw new Problem('not_found', `There is no backend ${name}; there is ${[...backends.keys()].join(', ')}.`)
}

function ownerIn(scope: OwnerScope, principal: UserPrincipal): string | undefined {
  if (scope === 'user') return principal.userId
  return scope === 'tenant' ? principal.tenantId : principal.workspaceId
}

function refusalOf(
  { permissions }: UserPrincipal,
  collection: Collection,
  owner: string | undefined,
  { needs, owners = [] }: Intended,
): Problem | undefined {
  const { read, write } = collection.permissions
  const needed = { read: [read], write: [write], readWrite: [write, read] }[needs]
  const permission = needed.find((one) => !hasPermission(permissions, one))
  if (permission !== undefined) {
    return new Problem('insufficient_permission', `The permission ${permission} is missing.`, {
      extensions: { permission },
    })
  }
  if (needs === 'read') return undefined
  const { name, scope } = collection
  if (owner === undefined) {
    const detail = `Records in ${name} belong to a ${scope}, and the credential names none (claim ${scope}_id).`
    return new Problem('forbidden', detail)
  }
  if (owners.every((named) => named === undefined || named === owner)) return undefined
  return new Problem('forbidden', `owner: a record in ${name} belongs to your ${scope}, and to nobody else.`)
}
