-- `sealed` holds the whole key pair, encrypted outside the database. The public half is not kept beside it on purpose:
-- who can write to this table could otherwise add a key of their own for every service to believe.
create table signing_keys (
  kid text primary key,
  alg text not null,
  state text not null check (state in ('next', 'current', 'retired', 'revoked')),
  sealed bytea not null,
  created_at timestamptz not null default now()
);
-- Of two services that start at once on an empty table, one makes the key.
create unique index signing_keys_current on signing_keys (state) where state = 'current';

grant select, insert on signing_keys to :"login_role";
