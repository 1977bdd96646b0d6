-- Since when a key is in its state: a next one must have been published for a while before it signs, and a retired one
-- stays published for as long as anything that it has signed may live.
alter table signing_keys add column changed_at timestamptz not null default clock_timestamp();
update signing_keys set changed_at = created_at;

create unique index signing_keys_next on signing_keys (state) where state = 'next';

-- `sealed` can be changed so that a revoked key is destroyed.
grant update (state, changed_at, sealed), delete on signing_keys to :"login_role";
