-- Writes that other stores are doing: an intent is here from before the work until its outcome stands in the audit. What is
-- left over was interrupted. The service's own; requests have no part in it.
create table open_intents (
  id uuid primary key,
  at timestamptz not null default clock_timestamp(),
  -- The row of the intent in the audit, to be closed in the same name.
  row jsonb not null
);
create index open_intents_at on open_intents (at);

alter table open_intents enable row level security;
alter table open_intents force row level security;
create policy open_intents_select on open_intents for select to :"login_role" using (true);
create policy open_intents_insert on open_intents for insert to :"login_role" with check (true);
create policy open_intents_delete on open_intents for delete to :"login_role" using (true);
grant select, insert, delete on open_intents to :"login_role";
