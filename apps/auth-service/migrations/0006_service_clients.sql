-- The services that may ask for tokens, beside those of SERVICE_CLIENTS.
create table service_clients (
  name text primary key check (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
  created_at timestamptz not null default clock_timestamp(),
  disabled_at timestamptz
);

create table service_client_secrets (
  id text primary key,
  client text not null references service_clients (name),
  -- SHA-256: the secret is 32 random bytes, so nothing slower is needed.
  hash bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz,
  revoked_at timestamptz
);
create index service_client_secrets_client on service_client_secrets (client);

grant select, insert, update (disabled_at) on service_clients to :"login_role";
grant select, insert, update (revoked_at) on service_client_secrets to :"login_role";
