-- Keys and clients are the service's own, which a request never reads: under row-level security all the same, so that a grant by
-- mistake shows nothing.
alter table signing_keys enable row level security;
alter table signing_keys force row level security;
create policy signing_keys_service on signing_keys to :"login_role" using (true) with check (true);
alter table service_clients enable row level security;
alter table service_clients force row level security;
create policy service_clients_service on service_clients to :"login_role" using (true) with check (true);
alter table service_client_secrets enable row level security;
alter table service_client_secrets force row level security;
create policy service_client_secrets_service on service_client_secrets to :"login_role" using (true) with check (true);

-- The head of the audit is read by the service, and moved by audit_chain() alone, which runs as the owner.
alter table audit_head enable row level security;
alter table audit_head force row level security;
create policy audit_head_service on audit_head for select to :"login_role" using (true);
create policy audit_head_chain on audit_head to current_user using (true) with check (true);

-- Called by triggers, which ask for no permission, and by the owner.
revoke execute on function canonical_json, audit_hash, audit_chain, audit_is_append_only from public;
