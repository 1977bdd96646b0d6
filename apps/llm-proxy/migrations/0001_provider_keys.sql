-- The users' keys for providers, each sealed (AES-256-GCM) under one version of PROVIDER_KEY_ENCRYPTION_KEYS. What a row says of
-- itself (id, user, provider, base URL, version) is bound to what is sealed: a row that is copied or changed does not open.
create table provider_keys (
  id uuid primary key,
  user_id text collate "C" not null default nullif(current_setting('waybill.user_id', true), ''),
  provider text collate "C" not null check (provider ~ '^[a-z][a-z0-9_-]{0,62}$'),
  name text collate "C" not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
  -- In place of the provider's own.
  base_url text check (octet_length(base_url) <= 2048),
  sealed bytea not null check (octet_length(sealed) between 29 and 1024),
  kek text collate "C" not null check (kek ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$'),
  last_four text not null check (char_length(last_four) <= 4),
  is_default boolean not null,
  created_at timestamptz(3) not null default now(),
  rotated_at timestamptz(3),
  -- When the provider last said that the key is good.
  checked_at timestamptz(3),
  unique (user_id, provider, name)
);
create unique index provider_keys_default on provider_keys (user_id, provider) where is_default;

alter table provider_keys enable row level security;
alter table provider_keys force row level security;
create policy provider_keys_select on provider_keys for select to :"user_role"
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')));
create policy provider_keys_insert on provider_keys for insert to :"user_role"
  with check (user_id = (select nullif(current_setting('waybill.user_id', true), '')));
create policy provider_keys_update on provider_keys for update to :"user_role"
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')))
  with check (user_id = (select nullif(current_setting('waybill.user_id', true), '')));
create policy provider_keys_delete on provider_keys for delete to :"user_role"
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')));
-- Whose a key is, for whom and where it is sent never change.
grant select, delete,
  insert (id, provider, name, base_url, sealed, kek, last_four, is_default),
  update (name, sealed, kek, last_four, is_default, rotated_at, checked_at)
  on provider_keys to :"user_role";

-- npm run keys:reencrypt runs for no user, as the owner of the schema, who makes these policies: the login role of the service has
-- no way to a row but in its user's name.
create policy provider_keys_reencrypt_select on provider_keys for select to current_user using (true);
create policy provider_keys_reencrypt_update on provider_keys for update to current_user using (true) with check (true);
create policy audit_insert_reencrypt on audit for insert to current_user
  with check (action = 'provider_key.reencrypt' and on_behalf_of is null);
