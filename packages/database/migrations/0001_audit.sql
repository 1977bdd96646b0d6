-- Who did what, for whom, through which services. Append-only: no role of the service may change or remove a row.
create table audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  -- 'user:<id>', 'service:<name>', or 'anonymous' where nobody has proved who they are (a failed login).
  actor text not null check (actor = 'anonymous' or actor ~ '^(user|service):.'),
  on_behalf_of text check (on_behalf_of ~ '^(user|service):.'),
  -- The services in between, nearest first.
  actors text[] not null default '{}',
  via text,
  action text not null,
  resource text not null,
  outcome text not null check (outcome in ('intent', 'success', 'denied', 'failure')),
  details jsonb not null default '{}',
  request_id text,
  trace_id text
);
create index audit_subject on audit ((coalesce(on_behalf_of, actor)), id);
create index audit_request on audit (request_id);

alter table audit enable row level security;
alter table audit force row level security;

grant insert on audit to :"login_role", :"user_role";
-- The service itself writes for whom it must; a request writes in its own subject's name only.
create policy audit_insert_service on audit for insert to :"login_role" with check (true);
create policy audit_insert_own on audit for insert to :"user_role"
  with check (coalesce(on_behalf_of, actor) = (select nullif(current_setting('waybill.subject', true), '')));
