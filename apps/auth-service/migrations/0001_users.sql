create table users (
  id text primary key default gen_random_uuid()::text,
  username text not null check (username !~ '@'),
  email text not null,
  full_name text,
  role text not null default 'user' check (role in ('admin', 'user', 'viewer')),
  password_hash text not null,
  created_at timestamptz not null default now()
);
create unique index users_username on users (lower(username));
create unique index users_email on users (lower(email));

alter table users enable row level security;
alter table users force row level security;

-- The service itself finds people by name and makes new ones; their role and password it cannot change.
grant select, insert (username, email, full_name, password_hash) on users to :"login_role";
create policy users_service on users to :"login_role" using (true) with check (true);

-- A request in somebody's name sees that one row, and never the hash.
grant select (id, username, email, full_name, role, created_at) on users to :"user_role";
create policy users_own on users for select to :"user_role"
  using (id = (select nullif(current_setting('waybill.user_id', true), '')));
