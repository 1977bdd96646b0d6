import type { Queryable } from './row-security.ts'

export interface Roles {
  loginRole: string
  userRole: string
}

export type Command = 'select' | 'insert' | 'update' | 'delete'

export interface Relation {
  name: string
  /** As in pg_class: r and p are tables, v a view, m a materialized one, f a foreign table. */
  kind: 'r' | 'p' | 'v' | 'm' | 'f'
  enabled: boolean
  forced: boolean
  securityInvoker: boolean
  owner: string
  /** What each role may do with it, or with a column of it: `select`, `truncate` and so on, and so for PUBLIC. */
  granted: { login: string[]; user: string[]; public: string[] }
  /** The columns, or expressions, of each index that serves all rows. */
  indexes: string[][]
}

export interface Policy {
  name: string
  table: string
  permissive: boolean
  command: Command | 'all'
  forLogin: boolean
  forUser: boolean
  using: string | null
  check: string | null
}

export interface FunctionFacts {
  /** Without its arguments. */
  name: string
  definer: boolean
  fixedSearchPath: boolean
  executable: { login: boolean; user: boolean; public: boolean }
}

export interface RoleFacts {
  name: string
  superuser: boolean
  bypassesRls: boolean
}

export interface Catalog extends Roles {
  relations: Relation[]
  policies: Policy[]
  functions: FunctionFacts[]
  /** The login role and all that it may become. */
  roles: RoleFacts[]
  /** By whom, `login`, `user` or `public`, tables and functions can be made in a schema. */
  creators: { schema: string; by: string }[]
  mayMakeTemporary: string[]
  maySetConfig: string[]
}

/** Schemas that are not Postgres' own. */
const OWN = `n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`

/** Privileges of a relation that count for its columns too; TRUNCATE and the like are of the whole. */
const PRIVILEGES = `
  select privilege from unnest(array['select', 'insert', 'update', 'references']) as p (privilege)
    where has_any_column_privilege(ROLE, c.oid, privilege)
  union select privilege from unnest(array['delete', 'truncate', 'trigger']) as p (privilege)
    where has_table_privilege(ROLE, c.oid, privilege)`

const RELATIONS = `
  select n.nspname || '.' || c.relname as name, c.relkind as kind, c.relrowsecurity as enabled,
    c.relforcerowsecurity as forced, c.relowner::regrole::text as owner,
    coalesce(c.reloptions::text ~ 'security_invoker=(true|on|1|yes)', c.reloptions::text ~ 'security_invoker[,}]', false) as "securityInvoker",
    json_build_object(
      'login', array(${PRIVILEGES.replaceAll('ROLE', '$1::name')}),
      'user', array(${PRIVILEGES.replaceAll('ROLE', '$2::name')}),
      'public', array(
        select distinct lower(a.privilege_type) from (
          select (aclexplode(c.relacl)).*
          union all select (aclexplode(attacl)).* from pg_attribute where attrelid = c.oid and attacl is not null
        ) a where a.grantee = 0)
    ) as granted,
    array(
      select to_json(array(select pg_get_indexdef(i.indexrelid, at, false) from generate_series(1, i.indnkeyatts) at))
      from pg_index i where i.indrelid = c.oid and i.indisvalid and i.indpred is null
    ) as indexes
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and ${OWN}`

const POLICIES = `
  select p.polname as name, n.nspname || '.' || c.relname as "table", p.polpermissive as permissive,
    case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end as command,
    exists (select from unnest(p.polroles) as role where role = 0 or pg_has_role($1::name, role, 'usage')) as "forLogin",
    exists (select from unnest(p.polroles) as role where role = 0 or pg_has_role($2::name, role, 'usage')) as "forUser",
    pg_get_expr(p.polqual, p.polrelid) as "using", pg_get_expr(p.polwithcheck, p.polrelid) as "check"
  from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
  where ${OWN}`

const FUNCTIONS = `
  select n.nspname || '.' || p.proname as name, p.prosecdef as definer,
    coalesce(p.proconfig::text ~ 'search_path=', false) as "fixedSearchPath",
    json_build_object(
      'login', has_function_privilege($1::name, p.oid, 'execute'),
      'user', has_function_privilege($2::name, p.oid, 'execute'),
      'public', exists (
        select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0)
    ) as executable
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where ${OWN} and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')`

const ROLES = `
  select r.rolname as name, r.rolsuper as superuser, r.rolbypassrls as "bypassesRls"
  from pg_roles r where pg_has_role($1::name, r.oid, 'member') or r.rolname = $2::name`

const CREATORS = `
  select n.nspname as schema, who.by
  from pg_namespace n cross join (values ('login', $1::name), ('user', $2::name), ('public', 'public')) as who (by, role)
  where ${OWN} and has_schema_privilege(who.role, n.oid, 'create')`

const DATABASE = `
  select
    array(select by from who where has_database_privilege(who.role, current_database(), 'temporary')) as "mayMakeTemporary",
    array(select by from who where has_function_privilege(who.role, 'set_config(text, text, boolean)', 'execute')) as "maySetConfig"
  from (select) as one`

export async function readCatalog(db: Queryable, { loginRole, userRole }: Roles): Promise<Catalog> {
  const names = [loginRole, userRole]
  // Each query says itself what its rows are.
  const rows = async <T>(text: string) => (await db.query(text, names)).rows as T[]
  const who = `with who (by, role) as (values ('login', $1::name), ('user', $2::name), ('public', 'public'))`
  const [database] = await rows<Pick<Catalog, 'mayMakeTemporary' | 'maySetConfig'>>(`${who} ${DATABASE}`)
  if (!database) throw new Error('the database said nothing of itself')
  return {
    loginRole,
    userRole,
    relations: await rows<Relation>(RELATIONS),
    policies: await rows<Policy>(POLICIES),
    functions: await rows<FunctionFacts>(FUNCTIONS),
    roles: await rows<RoleFacts>(ROLES),
    creators: await rows<{ schema: string; by: string }>(CREATORS),
    ...database,
  }
}
