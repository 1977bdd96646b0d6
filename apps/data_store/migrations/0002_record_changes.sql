-- Changes of a record: of its data and what counts with them; whose it is and what it is called never change.
create policy records_update on records for update to :"user_role"
  using (owner = (select nullif(current_setting('waybill.user_id', true), '')))
  with check (owner = (select nullif(current_setting('waybill.user_id', true), '')));
grant update (data, version, updated_at) on records to :"user_role";
