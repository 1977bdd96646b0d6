create table records (
  -- Never written by the service: it is whoever the transaction runs for.
  owner text collate "C" not null default nullif(current_setting('waybill.user_id', true), ''),
  collection text collate "C" not null,
  id text collate "C" not null,
  data jsonb not null check (jsonb_typeof(data) = 'object'),
  version integer not null default 1 check (version > 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- The owner comes first: a key says nothing about other users' keys, and every query is a range of this index.
  primary key (owner, collection, id)
);

alter table records enable row level security;
alter table records force row level security;
create policy records_select on records for select to :"user_role"
  using (owner = (select nullif(current_setting('waybill.user_id', true), '')));
create policy records_insert on records for insert to :"user_role"
  with check (owner = (select nullif(current_setting('waybill.user_id', true), '')));
create policy records_delete on records for delete to :"user_role"
  using (owner = (select nullif(current_setting('waybill.user_id', true), '')));
grant select, delete, insert (collection, id, data) on records to :"user_role";

-- How long the vectors of a user's collection in LanceDB are. By user, so that nobody can fix it for others.
create table vector_collections (
  owner text collate "C" not null default nullif(current_setting('waybill.user_id', true), ''),
  collection text collate "C" not null,
  dimensions integer not null check (dimensions > 0),
  primary key (owner, collection)
);

alter table vector_collections enable row level security;
alter table vector_collections force row level security;
create policy vector_collections_select on vector_collections for select to :"user_role"
  using (owner = (select nullif(current_setting('waybill.user_id', true), '')));
create policy vector_collections_insert on vector_collections for insert to :"user_role"
  with check (owner = (select nullif(current_setting('waybill.user_id', true), '')));
create policy vector_collections_update on vector_collections for update to :"user_role"
  using (owner = (select nullif(current_setting('waybill.user_id', true), '')));
grant select, insert (collection, dimensions), update (dimensions) on vector_collections to :"user_role";
