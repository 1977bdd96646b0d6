-- Whom a user belongs to beside itself: what data_store keeps for a tenant, everybody in it shares.
alter table users
  add column tenant_id text check (tenant_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$');

-- Set in the name of an administrator alone: users_admin is the only policy that lets a row be changed. Nobody is born into a
-- tenant, and the login role, which reads it, puts nobody into one.
grant select (tenant_id), update (tenant_id) on users to :"user_role";
