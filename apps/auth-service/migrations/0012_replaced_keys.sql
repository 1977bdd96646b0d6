-- A key that has a successor works until its overlap ends, and is no more one of those that its owner may have.
alter table api_keys add column replaced_at timestamptz;
grant select (replaced_at), update (replaced_at) on api_keys to :"user_role";
