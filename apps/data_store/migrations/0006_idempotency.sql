-- What was answered to a request with an Idempotency-Key, by user. A row without an answer is a request that is at work, or that was
-- when the service stopped: it stays, so that the same is never done twice.
create table idempotency_keys (
  user_id text collate "C" not null default nullif(current_setting('waybill.user_id', true), ''),
  key text collate "C" not null,
  fingerprint text not null,
  -- JSON as it was written, which jsonb would not keep to the letter.
  answer text,
  created_at timestamptz(3) not null default now(),
  primary key (user_id, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);

alter table idempotency_keys enable row level security;
alter table idempotency_keys force row level security;
create policy idempotency_keys_select on idempotency_keys for select to :"user_role"
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')));
create policy idempotency_keys_insert on idempotency_keys for insert to :"user_role"
  with check (user_id = (select nullif(current_setting('waybill.user_id', true), '')));
create policy idempotency_keys_update on idempotency_keys for update to :"user_role"
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')))
  with check (user_id = (select nullif(current_setting('waybill.user_id', true), '')));
create policy idempotency_keys_delete on idempotency_keys for delete to :"user_role"
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')));
grant select, delete, insert (key, fingerprint), update (answer) on idempotency_keys to :"user_role";

-- Housekeeping runs for no user, as the login role: it sees how old keys are and forgets them, and never reads an answer.
create policy idempotency_keys_age_select on idempotency_keys for select to :"login_role" using (true);
create policy idempotency_keys_age_delete on idempotency_keys for delete to :"login_role" using (true);
grant select (created_at), delete on idempotency_keys to :"login_role";
