-- What a Supabase project needs so that llm-proxy can keep the users' provider keys in it (KEY_STORE=supabase). Run it as the role
-- `postgres` of the project (SQL editor or psql); it may be run again at any time. The keys come sealed: nothing in the project can
-- open them. A request is under the policies here by its JWT of auth-service, for the audience of the project.

create table if not exists provider_keys (
  id uuid primary key,
  user_id text collate "C" not null
    default nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', ''),
  provider text collate "C" not null check (provider ~ '^[a-z][a-z0-9_-]{0,62}$'),
  name text collate "C" not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
  base_url text check (octet_length(base_url) <= 2048),
  sealed bytea not null check (octet_length(sealed) between 29 and 1024),
  kek text collate "C" not null check (kek ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$'),
  last_four text not null check (char_length(last_four) <= 4),
  is_default boolean not null,
  created_at timestamptz(3) not null default clock_timestamp(),
  rotated_at timestamptz(3),
  checked_at timestamptz(3),
  unique (user_id, provider, name)
);
create unique index if not exists provider_keys_default on provider_keys (user_id, provider) where is_default;

alter table provider_keys enable row level security;
alter table provider_keys force row level security;

-- The user's, and by llm-proxy only: a token that another service was given on the user's behalf sees no key. Without such a claim
-- it is null, which equals nothing.
do $$
declare
  mine text := $sql$user_id = (
    select nullif(request.claims ->> 'sub', '')
    from (select nullif(current_setting('request.jwt.claims', true), '')::jsonb) as request(claims)
    where request.claims ->> 'client_id' = 'llm-proxy')$sql$;
  command text;
begin
  foreach command in array array['select', 'insert', 'update', 'delete'] loop
    execute format('drop policy if exists %I on provider_keys', 'provider_keys_' || command);
  end loop;
  execute format('create policy provider_keys_select on provider_keys for select to authenticated using (%s)', mine);
  execute format('create policy provider_keys_insert on provider_keys for insert to authenticated with check (%s)', mine);
  execute format('create policy provider_keys_update on provider_keys for update to authenticated using (%s) with check (%1$s)', mine);
  execute format('create policy provider_keys_delete on provider_keys for delete to authenticated using (%s)', mine);
end $$;

-- A project's default privileges give everything to everybody; truncate would pass by the policies. Whose a key is, for whom and
-- where it is sent never change.
revoke all on provider_keys from public, anon, authenticated, service_role;
grant select, delete,
  insert (id, provider, name, base_url, sealed, kek, last_four, is_default, checked_at),
  update (name, sealed, kek, last_four, is_default, rotated_at, checked_at)
  on provider_keys to authenticated;
-- For `npm run keys:reencrypt`, with the secret key of the project.
grant select, update (sealed, kek) on provider_keys to service_role;

-- What takes more than one statement, each all or nothing, as the caller and under the caller's policies. One change of a user's
-- keys at a time: the number of keys and their default hold across rows.
create or replace function provider_key_add(key jsonb, most integer) returns setof provider_keys
language plpgsql security invoker set search_path = '' as $$
declare
  made public.provider_keys := jsonb_populate_record(null::public.provider_keys, key);
begin
  perform pg_advisory_xact_lock(hashtextextended('provider_keys/' || made.user_id, 0));
  if (select count(*) from public.provider_keys) >= most then
    raise exception 'too many keys' using errcode = 'PT409';
  end if;
  made.is_default := coalesce(made.is_default, not exists (
    select from public.provider_keys as kept where kept.provider = made.provider and kept.is_default));
  if made.is_default then
    update public.provider_keys as kept set is_default = false where kept.provider = made.provider and kept.is_default;
  end if;
  return query insert into public.provider_keys as kept
    (id, provider, name, base_url, sealed, kek, last_four, is_default, checked_at)
    values (made.id, made.provider, made.name, made.base_url, made.sealed, made.kek, made.last_four, made.is_default,
      case when (key ->> 'checked')::boolean then clock_timestamp() end)
    returning kept.*;
end $$;

create or replace function provider_key_change(key_id uuid, change jsonb) returns setof provider_keys
language plpgsql security invoker set search_path = '' as $$
declare
  before public.provider_keys;
begin
  select * into before from public.provider_keys as kept where kept.id = key_id;
  if not found then return; end if;
  perform pg_advisory_xact_lock(hashtextextended('provider_keys/' || before.user_id, 0));
  if (change ->> 'is_default')::boolean then
    update public.provider_keys as kept set is_default = false where kept.provider = before.provider and kept.is_default;
  end if;
  return query update public.provider_keys as kept set
    name = coalesce(change ->> 'name', kept.name),
    is_default = coalesce((change ->> 'is_default')::boolean, kept.is_default),
    sealed = coalesce((change ->> 'sealed')::bytea, kept.sealed),
    kek = coalesce(change ->> 'kek', kept.kek),
    last_four = coalesce(change ->> 'last_four', kept.last_four),
    rotated_at = case when change ? 'sealed' then clock_timestamp() else kept.rotated_at end,
    checked_at = case
      when (change ->> 'checked')::boolean then clock_timestamp()
      when change ? 'sealed' then null
      else kept.checked_at
    end
    where kept.id = key_id
    returning kept.*;
end $$;

revoke all on function provider_key_add(jsonb, integer), provider_key_change(uuid, jsonb)
  from public, anon, authenticated, service_role;
grant execute on function provider_key_add(jsonb, integer), provider_key_change(uuid, jsonb) to authenticated;

notify pgrst, 'reload schema';
