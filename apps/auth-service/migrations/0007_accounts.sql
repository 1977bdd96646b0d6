alter table users
  add column tier text not null default 'standard' check (tier in ('free', 'standard', 'premium')),
  add column disabled_at timestamptz,
  add column password_changed_at timestamptz not null default now();

-- The service itself replaces password hashes; roles, tiers and who is disabled it cannot change.
grant update (password_hash, password_changed_at) on users to :"login_role";

grant select (tier, disabled_at, password_changed_at), update (role, tier, disabled_at),
  insert (username, email, full_name, role, password_hash) on users to :"user_role";
-- Whoever holds auth.admin in this very request sees and manages all users; hashes nobody sees.
create policy users_admin on users to :"user_role"
  using ((select string_to_array(current_setting('waybill.permissions', true), ' ')) && array['*', 'auth.*', 'auth.admin'])
  with check ((select string_to_array(current_setting('waybill.permissions', true), ' ')) && array['*', 'auth.*', 'auth.admin']);

alter table sessions drop constraint sessions_revoked_because_check;
alter table sessions add constraint sessions_revoked_because_check
  check (revoked_because in ('logout', 'refresh_reuse', 'revoked', 'password_change', 'disabled', 'admin'));
create index sessions_expiry on sessions (expires_at);
grant delete on sessions to :"login_role";
grant select (rotated_at) on sessions to :"user_role";
create policy sessions_admin on sessions for select to :"user_role"
  using ((select string_to_array(current_setting('waybill.permissions', true), ' ')) && array['*', 'auth.*', 'auth.admin']);
create policy sessions_admin_end on sessions for update to :"user_role"
  using (revoked_at is null
    and (select string_to_array(current_setting('waybill.permissions', true), ' ')) && array['*', 'auth.*', 'auth.admin'])
  with check (revoked_at is not null
    and (select string_to_array(current_setting('waybill.permissions', true), ' ')) && array['*', 'auth.*', 'auth.admin']);
create policy revocations_admin on revocations for insert to :"user_role"
  with check ((select string_to_array(current_setting('waybill.permissions', true), ' ')) && array['*', 'auth.*', 'auth.admin']);
-- So that a change of a user can be put later than the one before it.
grant select (kind, subject, not_before) on revocations to :"user_role";
create policy revocations_admin_see on revocations for select to :"user_role"
  using (kind = 'user'
    and (select string_to_array(current_setting('waybill.permissions', true), ' ')) && array['*', 'auth.*', 'auth.admin']);

-- The hashes that a user had before, so that none of the last few is chosen again.
create table password_history (
  id bigint generated always as identity primary key,
  user_id text not null references users (id) on delete cascade,
  password_hash text not null,
  replaced_at timestamptz not null default now()
);
create index password_history_user on password_history (user_id, id);
alter table password_history enable row level security;
alter table password_history force row level security;
grant select, insert, delete on password_history to :"login_role";
create policy password_history_service on password_history to :"login_role" using (true) with check (true);
