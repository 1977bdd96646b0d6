-- A request in somebody's name reads what was done in that name; whoever holds audit.read in this very request, everything.
create policy audit_select_own on audit for select to :"user_role"
  using (coalesce(on_behalf_of, actor) = (select nullif(current_setting('waybill.subject', true), '')));
create policy audit_select_auditor on audit for select to :"user_role"
  using ((select string_to_array(current_setting('waybill.permissions', true), ' ')) && array['*', 'audit.*', 'audit.read']);
grant select on audit to :"user_role";
