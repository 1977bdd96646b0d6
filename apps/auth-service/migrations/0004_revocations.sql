-- What is believed no more, although its tokens have not expired: the feed that every service follows. Rows are written
-- under an advisory lock that is held to the commit, so that cursors become visible in their order and none is skipped.
create table revocations (
  cursor bigint generated always as identity primary key,
  kind text not null check (kind in ('session', 'token', 'api_key', 'api_key_changed', 'user', 'signing_key')),
  subject text not null,
  -- For a user: the tokens that were issued before.
  not_before timestamptz check ((not_before is not null) = (kind = 'user')),
  expires_at timestamptz not null
);
create index revocations_subject on revocations (kind, subject);
create index revocations_expiry on revocations (expires_at);

alter table revocations enable row level security;
alter table revocations force row level security;

grant select, insert, delete on revocations to :"login_role";
create policy revocations_service on revocations to :"login_role" using (true) with check (true);

-- A request in somebody's name may withdraw that person's own sessions and tokens, and reads nothing here.
grant insert on revocations to :"user_role";
create policy revocations_own_session on revocations for insert to :"user_role"
  with check (kind = 'session' and exists (select from sessions s where s.id = subject));
create policy revocations_own_user on revocations for insert to :"user_role"
  with check (kind = 'user' and subject = (select nullif(current_setting('waybill.user_id', true), '')));
