create table workspaces (
  id uuid primary key,
  name text not null check (name <> ''),
  kind text not null check (kind in ('personal', 'team')),
  -- Never written by the service: it is whoever the transaction runs for.
  created_by text collate "C" not null default nullif(current_setting('waybill.user_id', true), ''),
  -- To the millisecond, as it is answered: a page ends at exactly the time that its cursor says.
  created_at timestamptz(3) not null default now()
);
create unique index workspaces_personal on workspaces (created_by) where kind = 'personal';

create table memberships (
  workspace_id uuid not null references workspaces on delete cascade,
  user_id text collate "C" not null,
  role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
  added_by text collate "C" not null default nullif(current_setting('waybill.user_id', true), ''),
  created_at timestamptz(3) not null default now(),
  primary key (workspace_id, user_id)
);
create index memberships_user on memberships (user_id) include (workspace_id, role);

alter table workspaces enable row level security;
alter table workspaces force row level security;
alter table memberships enable row level security;
alter table memberships force row level security;

-- The workspaces in which the caller has one of the roles. A policy of memberships cannot query memberships (it would
-- apply to itself without end), so this runs as the owner; and the owner is bound by a policy too, which shows it the
-- caller's own rows only. A mistake in here cannot leak what other users are members of.
create function workspaces_as(variadic roles text[]) returns uuid[]
  language sql stable security definer set search_path = pg_catalog, pg_temp
  return (
    select coalesce(array_agg(m.workspace_id), '{}')
    from public.memberships m
    where m.user_id = nullif(current_setting('waybill.user_id', true), '') and m.role = any (roles)
  );
revoke execute on function workspaces_as from public;
grant execute on function workspaces_as to :"user_role";

create policy memberships_lookup on memberships for select to current_user
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')));

-- Whoever makes a workspace is its first owner, in the same statement: there is no workspace without one, and no other
-- way to become a member of a workspace without being let in.
create function add_first_owner() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as $$
  begin
    insert into public.memberships (workspace_id, user_id, role) values (new.id, new.created_by, 'owner');
    return null;
  end
  $$;
revoke execute on function add_first_owner from public;
create trigger workspaces_first_owner after insert on workspaces
  for each row execute function add_first_owner();
create policy memberships_first_owner on memberships for insert to current_user
  with check (user_id = (select nullif(current_setting('waybill.user_id', true), '')) and role = 'owner');

create policy workspaces_select on workspaces for select to :"user_role"
  using (id = any ((select workspaces_as('owner', 'admin', 'member', 'viewer'))::uuid[]));
create policy workspaces_insert on workspaces for insert to :"user_role"
  with check (created_by = (select nullif(current_setting('waybill.user_id', true), '')));
grant select, insert (id, name, kind) on workspaces to :"user_role";

create policy memberships_select on memberships for select to :"user_role"
  using (workspace_id = any ((select workspaces_as('owner', 'admin', 'member', 'viewer'))::uuid[]));
-- Owners manage everybody, admins manage members and viewers, and anybody may leave.
create policy memberships_insert on memberships for insert to :"user_role"
  with check (
    workspace_id = any ((select workspaces_as('owner'))::uuid[])
    or (workspace_id = any ((select workspaces_as('admin'))::uuid[]) and role in ('member', 'viewer'))
  );
create policy memberships_delete on memberships for delete to :"user_role"
  using (
    user_id = (select nullif(current_setting('waybill.user_id', true), ''))
    or workspace_id = any ((select workspaces_as('owner'))::uuid[])
    or (workspace_id = any ((select workspaces_as('admin'))::uuid[]) and role in ('member', 'viewer'))
  );
grant select, delete, insert (workspace_id, user_id, role) on memberships to :"user_role";
