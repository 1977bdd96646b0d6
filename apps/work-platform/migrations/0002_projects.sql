create table projects (
  id uuid primary key,
  workspace_id uuid not null references workspaces,
  name text not null check (name <> ''),
  description text not null default '',
  -- 'creating' until its basket is there; seen by nobody before.
  status text not null default 'creating' check (status in ('creating', 'active')),
  -- Chosen here and sent along, so that asking substrate-api again cannot make a second basket.
  basket_id uuid not null unique,
  created_by text collate "C" not null default nullif(current_setting('waybill.user_id', true), ''),
  created_at timestamptz(3) not null default now()
);
create index projects_newest on projects (workspace_id, created_at desc, id desc);
create index projects_creating on projects (created_at) where status = 'creating';

alter table projects enable row level security;
alter table projects force row level security;
create policy projects_select on projects for select to :"user_role"
  using (workspace_id = any ((select workspaces_as('owner', 'admin', 'member', 'viewer'))::uuid[]));
create policy projects_insert on projects for insert to :"user_role"
  with check (
    workspace_id = any ((select workspaces_as('owner', 'admin', 'member'))::uuid[])
    and created_by = (select nullif(current_setting('waybill.user_id', true), ''))
  );
create policy projects_update on projects for update to :"user_role"
  using (workspace_id = any ((select workspaces_as('owner', 'admin', 'member'))::uuid[]));
create policy projects_delete on projects for delete to :"user_role"
  using (
    workspace_id = any ((select workspaces_as('owner', 'admin'))::uuid[])
    or (
      workspace_id = any ((select workspaces_as('member'))::uuid[])
      and created_by = (select nullif(current_setting('waybill.user_id', true), ''))
    )
  );
grant select, delete, insert (id, workspace_id, name, description, basket_id), update (status)
  on projects to :"user_role";

-- A row per Idempotency-Key of a user: what was asked, and what was answered once it was.
create table idempotency_keys (
  user_id text collate "C" not null default nullif(current_setting('waybill.user_id', true), ''),
  key text collate "C" not null,
  fingerprint text not null,
  project_id uuid not null,
  answer jsonb,
  created_at timestamptz(3) not null default now(),
  primary key (user_id, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);
create index idempotency_keys_project on idempotency_keys (project_id);

alter table idempotency_keys enable row level security;
alter table idempotency_keys force row level security;
create policy idempotency_keys_own on idempotency_keys to :"user_role"
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')));
grant select, delete, insert (key, fingerprint, project_id), update (answer) on idempotency_keys to :"user_role";

-- Baskets that may exist in substrate-api although no project has them: their removal could not be confirmed.
create table abandoned_baskets (
  workspace_id uuid not null,
  basket_id uuid not null,
  created_at timestamptz(3) not null default now(),
  primary key (workspace_id, basket_id)
);
create index abandoned_baskets_age on abandoned_baskets (created_at);

alter table abandoned_baskets enable row level security;
alter table abandoned_baskets force row level security;
create policy abandoned_baskets_of_creation on abandoned_baskets to :"user_role"
  using (workspace_id = any ((select workspaces_as('owner', 'admin', 'member'))::uuid[]));
grant select, delete, insert (workspace_id, basket_id) on abandoned_baskets to :"user_role";

-- Housekeeping runs for no user, as the login role, and reaches leftovers only: never an active project.
create policy projects_leftover_select on projects for select to :"login_role" using (status = 'creating');
create policy projects_leftover_delete on projects for delete to :"login_role" using (status = 'creating');
grant select (id, workspace_id, basket_id, status, created_at), delete on projects to :"login_role";
create policy idempotency_keys_housekeeping on idempotency_keys to :"login_role" using (true);
grant select (project_id, created_at), delete on idempotency_keys to :"login_role";
create policy abandoned_baskets_housekeeping on abandoned_baskets to :"login_role" using (true);
grant select, delete, insert (workspace_id, basket_id) on abandoned_baskets to :"login_role";
