create table notes (
  owner text not null,
  id text not null,
  body text not null,
  primary key (owner, id)
);
alter table notes enable row level security;
alter table notes force row level security;
create policy notes_own on notes to :"user_role"
  using (owner = (select nullif(current_setting('waybill.user_id', true), '')));
grant select, insert, update, delete on notes to :"user_role";
