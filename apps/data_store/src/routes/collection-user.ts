import { user } from '@waybill/auth'
import type { Guard, UserPrincipal } from '@waybill/service-kit'

/** Any person here; what they must be allowed to do is for the collection to say, where its declaration is known. */
function collectionUser(usual: string): Guard<UserPrincipal> {
  return { ...user(), description: `a user with ${usual}, or what the collection asks instead` }
}

export const reader = collectionUser('memory.read')
export const writer = collectionUser('memory.write')
/** For what tells by its answer, or by its filter, what is there. */
export const changer = collectionUser('memory.read and memory.write')
