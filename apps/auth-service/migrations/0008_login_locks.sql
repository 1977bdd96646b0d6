-- Wrong passwords, by HMAC of the name that was typed or of the address: what was typed, which may be a password, is not
-- kept, and a name that nobody has is counted like any other.
create table login_locks (
  key bytea primary key,
  failures integer not null,
  failed_at timestamptz not null,
  locked_until timestamptz
);
create index login_locks_failed_at on login_locks (failed_at);
alter table login_locks enable row level security;
alter table login_locks force row level security;
grant select, insert, update, delete on login_locks to :"login_role";
create policy login_locks_service on login_locks to :"login_role" using (true) with check (true);
