-- What no request needs, no request may: to bring a revoked key back, or to withdraw all that its user was issued.
drop policy api_keys_own on api_keys;
create policy api_keys_own on api_keys for select to :"user_role"
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')));
create policy api_keys_make on api_keys for insert to :"user_role"
  with check (user_id = (select nullif(current_setting('waybill.user_id', true), '')) and revoked_at is null);
create policy api_keys_end on api_keys for update to :"user_role"
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')) and revoked_at is null)
  with check (user_id = (select nullif(current_setting('waybill.user_id', true), '')));
drop policy revocations_own_user on revocations;

-- Keys that ended long ago are removed.
create index api_keys_ended on api_keys (least(expires_at, revoked_at));
grant delete on api_keys to :"login_role";
