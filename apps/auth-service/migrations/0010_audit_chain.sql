-- The audit as a chain: every row has the hash of the one before in its own, so that none can be changed, taken out or
-- put in between without breaking all that follow. The README of auth-service says how a hash is computed.
create table audit_head (
  only_one boolean primary key default true check (only_one),
  seq bigint not null,
  hash text not null
);
insert into audit_head (seq, hash) values (0, repeat('0', 64));
grant select on audit_head to :"login_role";

alter table audit add column seq bigint, add column previous_hash text, add column hash text;

-- JSON without white space, members in the order of their names' bytes: RFC 8785 but for numbers, which are written out.
create function canonical_json(value jsonb) returns text language plpgsql immutable strict parallel safe as $$
begin
  return case jsonb_typeof(value)
    when 'object' then (
      select '{' || coalesce(string_agg(to_json(key)::text || ':' || canonical_json(member), ',' order by key collate "C"), '') || '}'
      from jsonb_each(value) as each (key, member))
    when 'array' then (
      select '[' || coalesce(string_agg(canonical_json(element), ',' order by place), '') || ']'
      from jsonb_array_elements(value) with ordinality as each (element, place))
    else value::text
  end;
end $$;

create function audit_hash(row_ audit) returns text language sql stable as $$
  select encode(sha256(convert_to(canonical_json(jsonb_build_array(
    row_.seq, to_char(row_.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), row_.actor, row_.on_behalf_of, row_.actors,
    row_.via, row_.action, row_.resource, row_.outcome, row_.details, row_.request_id, row_.trace_id, row_.previous_hash
  )), 'UTF8')), 'hex')
$$;

-- The lock on the head is held to the commit: rows are chained in the order in which they become visible.
create function audit_chain() returns trigger language plpgsql security definer set search_path from current as $$
declare
  head audit_head;
begin
  select * into strict head from audit_head for update;
  new.seq := head.seq + 1;
  new.at := clock_timestamp();
  new.previous_hash := head.hash;
  new.hash := audit_hash(new);
  update audit_head set seq = new.seq, hash = new.hash;
  return new;
end $$;

-- The rows that are there already. Their own policies bind the owner too, who has none.
alter table audit no force row level security;
do $$
declare
  entry audit;
  head audit_head;
begin
  for entry in select * from audit order by id loop
    select * into strict head from audit_head;
    entry.seq := head.seq + 1;
    entry.previous_hash := head.hash;
    entry.hash := audit_hash(entry);
    update audit set seq = entry.seq, previous_hash = entry.previous_hash, hash = entry.hash where id = entry.id;
    update audit_head set seq = entry.seq, hash = entry.hash;
  end loop;
end $$;
alter table audit force row level security;

alter table audit alter column seq set not null, alter column previous_hash set not null, alter column hash set not null;
create unique index audit_seq on audit (seq);
create index audit_action on audit (action, seq);

create trigger audit_chain before insert on audit for each row execute function audit_chain();

-- Not even the owner, by mistake.
create function audit_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'The audit is append-only.' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_append_only before update or delete or truncate on audit
  for each statement execute function audit_is_append_only();

-- Read by the service for whoever may (auth.admin); a request in somebody's name still reads nothing.
grant select on audit to :"login_role";
create policy audit_read_service on audit for select to :"login_role" using (true);
