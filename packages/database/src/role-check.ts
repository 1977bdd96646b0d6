import { FatalStartError } from '@waybill/service-kit'
import { sql } from 'kysely'
import type { QueryExecutorProvider } from 'kysely'

interface RoleFacts {
  name: string
  kind: 'login' | 'user' | 'other'
  superuser: boolean
  bypassesRls: boolean
  owns: string | null
}

/**
 * Makes sure that row-level security binds this service: neither its login role, nor the role that requests run as,
 * nor any other role it may switch to is superuser, has BYPASSRLS or owns a table here.
 * @throws FatalStartError naming the role and what is wrong with it.
 */
export async function refusePowerfulRole(db: QueryExecutorProvider, userRole: string): Promise<void> {
  const roles = await reachableRoles(db, userRole)
  for (const role of roles.filter(({ kind }) => kind === 'login')) refuse(role)
  const user = roles.find(({ kind }) => kind === 'user')
  if (!user) {
    const login = roles[0]?.name ?? 'the login role'
    throw new FatalStartError(
      `The role "${userRole}", which requests run as, does not exist or is not granted: GRANT "${userRole}" TO "${login}".`,
    )
  }
  for (const role of roles) refuse(role)
}

function refuse(role: RoleFacts): void {
  const which = {
    login: `The database login role "${role.name}"`,
    user: `The role "${role.name}", which requests run as,`,
    other: `The role "${role.name}", which the database login role is a member of,`,
  }[role.kind]
  const rule = 'Row-level security would not bind this service, so it does not start.'
  if (role.superuser) throw new FatalStartError(`${which} is a superuser. ${rule}`)
  if (role.bypassesRls) throw new FatalStartError(`${which} has BYPASSRLS. ${rule}`)
  if (role.owns !== null) throw new FatalStartError(`${which} owns the table ${role.owns}. ${rule}`)
}

/** The login role first, then every role that it is a member of, directly or not, whatever the grant's options. */
async function reachableRoles(db: QueryExecutorProvider, userRole: string): Promise<RoleFacts[]> {
  const { rows } = await sql<RoleFacts>`
    select r.rolname as name,
      case r.rolname when session_user then 'login' when ${userRole} then 'user' else 'other' end as kind,
      r.rolsuper as superuser,
      r.rolbypassrls as "bypassesRls",
      (select min(c.oid::regclass::text) from pg_class c
        where c.relowner = r.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')) as owns
    from pg_roles r
    where r.rolname = session_user
      or pg_has_role(session_user, r.oid, 'member')
    order by r.rolname = session_user desc, r.rolname`.execute(db)
  return rows
}
