-- One row per login: the family of its refresh tokens, of which the newest and the one before are known by hash.
create table sessions (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  refresh_hash bytea not null,
  previous_hash bytea,
  rotated_at timestamptz,
  created_at timestamptz not null default now(),
  -- Absolute: no refresh moves it.
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_because text check (revoked_because in ('logout', 'refresh_reuse')),
  check ((revoked_at is null) = (revoked_because is null))
);
create index sessions_user on sessions (user_id);

alter table sessions enable row level security;
alter table sessions force row level security;

grant select, insert, update (refresh_hash, previous_hash, rotated_at, revoked_at, revoked_because)
  on sessions to :"login_role";
create policy sessions_service on sessions to :"login_role" using (true) with check (true);

-- A request in somebody's name may end that person's sessions, and can never bring one back.
grant select (id, user_id, created_at, expires_at, revoked_at), update (revoked_at, revoked_because)
  on sessions to :"user_role";
create policy sessions_own on sessions for select to :"user_role"
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')));
create policy sessions_end on sessions for update to :"user_role"
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')) and revoked_at is null)
  with check (user_id = (select nullif(current_setting('waybill.user_id', true), '')) and revoked_at is not null);
