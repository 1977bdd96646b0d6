create table baskets (
  -- Never written by the service: it is the workspace that the transaction runs in.
  workspace_id text collate "C" not null default nullif(current_setting('waybill.workspace_id', true), ''),
  id uuid not null default gen_random_uuid(),
  name text not null check (name <> ''),
  status text not null default 'active' check (status in ('active', 'archived')),
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_by text collate "C" not null default nullif(current_setting('waybill.subject', true), ''),
  -- To the millisecond, as it is answered: a page ends at exactly the time that its cursor says.
  created_at timestamptz(3) not null default now(),
  -- The workspace comes first: an id that is taken says nothing about other workspaces.
  primary key (workspace_id, id)
);
create index baskets_newest on baskets (workspace_id, created_at desc, id desc);

alter table baskets enable row level security;
alter table baskets force row level security;
create policy baskets_select on baskets for select to :"user_role"
  using (workspace_id = (select nullif(current_setting('waybill.workspace_id', true), '')));
create policy baskets_insert on baskets for insert to :"user_role"
  with check (
    workspace_id = (select nullif(current_setting('waybill.workspace_id', true), ''))
    and created_by = (select nullif(current_setting('waybill.subject', true), ''))
  );
create policy baskets_delete on baskets for delete to :"user_role"
  using (workspace_id = (select nullif(current_setting('waybill.workspace_id', true), '')));
grant select, insert, delete on baskets to :"user_role";

create table raw_dumps (
  workspace_id text collate "C" not null default nullif(current_setting('waybill.workspace_id', true), ''),
  id uuid not null default gen_random_uuid(),
  basket_id uuid not null,
  content text not null check (content <> ''),
  source text,
  created_by text collate "C" not null default nullif(current_setting('waybill.subject', true), ''),
  created_at timestamptz(3) not null default now(),
  primary key (workspace_id, id),
  -- Both columns, so that a dump can only be in a basket of its own workspace.
  constraint raw_dumps_basket foreign key (workspace_id, basket_id) references baskets on delete cascade
);
create index raw_dumps_newest on raw_dumps (workspace_id, basket_id, created_at desc, id desc);

alter table raw_dumps enable row level security;
alter table raw_dumps force row level security;
create policy raw_dumps_select on raw_dumps for select to :"user_role"
  using (workspace_id = (select nullif(current_setting('waybill.workspace_id', true), '')));
create policy raw_dumps_insert on raw_dumps for insert to :"user_role"
  with check (
    workspace_id = (select nullif(current_setting('waybill.workspace_id', true), ''))
    and created_by = (select nullif(current_setting('waybill.subject', true), ''))
  );
-- No right to delete: dumps go with their basket.
grant select, insert on raw_dumps to :"user_role";
