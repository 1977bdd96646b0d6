-- A user who comes with an API key has no service in between that could say which workspace: it sees what it made, in
-- whatever workspace. Nobody with a workspace, and nobody who is acted for, gains anything by this policy.
create policy baskets_select_own on baskets for select to :"user_role"
  using (
    (select nullif(current_setting('waybill.workspace_id', true), '') is null
      and nullif(current_setting('waybill.actors', true), '') is null)
    and created_by = (select 'user:' || nullif(current_setting('waybill.user_id', true), ''))
  );
create index baskets_by_maker on baskets (created_by, created_at desc, id desc);
