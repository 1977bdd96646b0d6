-- API keys by their SHA-256: 178 random bits need no slow hash. `prefix` is what the user tells them apart by.
create table api_keys (
  id text primary key default gen_random_uuid()::text,
  user_id text not null references users (id) on delete cascade,
  name text not null,
  prefix text not null,
  hash bytea not null unique,
  permissions text[] not null check (cardinality(permissions) > 0),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  last_used_at timestamptz,
  revoked_at timestamptz
);
create index api_keys_user on api_keys (user_id);

alter table api_keys enable row level security;
alter table api_keys force row level security;

-- The service finds a key by its hash, and says when it was used.
grant select, update (last_used_at) on api_keys to :"login_role";
create policy api_keys_service on api_keys to :"login_role" using (true) with check (true);

-- A request in somebody's name makes and ends that person's keys, and never sees a hash.
grant select (id, user_id, name, prefix, permissions, created_at, expires_at, last_used_at, revoked_at),
  insert (id, user_id, name, prefix, hash, permissions, expires_at),
  update (expires_at, revoked_at) on api_keys to :"user_role";
create policy api_keys_own on api_keys to :"user_role"
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')))
  with check (user_id = (select nullif(current_setting('waybill.user_id', true), '')));

create policy revocations_own_key on revocations for insert to :"user_role"
  with check (kind in ('api_key', 'api_key_changed') and exists (select from api_keys k where k.id = subject));
