import type { Route } from '@waybill/service-kit'
import type { PeopleRooms } from '../people/people.ts'
import { accountRoutes } from './accounts.ts'
import { adminUserRoutes } from './admin-users.ts'
import { apiKeyRoutes } from './api-keys.ts'
import { auditRoutes } from './audit.ts'
import { permissionRoutes } from './permission.ts'
import { sessionRoutes } from './sessions.ts'
import type { SessionRooms } from './sessions.ts'

/** All that is about people; `accessTokenFor` makes the token of a session. */
export function peopleRoutes(rooms: PeopleRooms, accessTokenFor: SessionRooms['accessTokenFor']): Route[] {
  return [
    ...accountRoutes(rooms),
    ...sessionRoutes({ ...rooms, accessTokenFor }),
    ...apiKeyRoutes(rooms),
    ...permissionRoutes(rooms),
    ...adminUserRoutes(rooms),
    ...auditRoutes(rooms),
  ]
}
