-- What a Supabase project needs so that data_store can keep records in it. Run it as the role `postgres` of the project (SQL
-- editor or psql); it may be run again at any time. It makes the schema `waybill`, which is not exposed by the API, with one
-- function to declare a collection. Then declare each of them and tell PostgREST:
--
--   select waybill.declare_collection('notes', 'user');   -- or 'tenant', 'workspace'
--   notify pgrst, 'reload schema';
--   select * from waybill.faults();                       -- no row: all is well
--
-- `npm run --silent supabase-sql -w @waybill/data_store -- <COLLECTIONS_FILE>` prints all of this for the collections of a file.

create schema if not exists waybill;
revoke all on schema waybill from public;

create table if not exists waybill.collections (
  table_schema name not null,
  table_name name not null,
  claim text not null,
  primary key (table_schema, table_name)
);
revoke all on waybill.collections from public;

-- The second half of every version: a change counts it up, and never moves a record or makes it older than it is.
create or replace function waybill.count_version() returns trigger
language plpgsql set search_path = '' as $$
begin
  if new.owner <> old.owner or new.id <> old.id then
    raise exception 'a record keeps its owner and its id' using errcode = '42501';
  end if;
  new.version := old.version + 1;
  new.created_at := old.created_at;
  new.updated_at := greatest(clock_timestamp(), old.updated_at);
  return new;
end $$;
revoke all on function waybill.count_version() from public;

-- The words of all texts in `data`. One tsvector holds 1 MiB: of more, those of the first texts are kept rather than none.
create or replace function waybill.words_of(data jsonb) returns tsvector
language plpgsql immutable parallel safe set search_path = '' as $$
begin
  return jsonb_to_tsvector('simple', data, '["string"]');
exception when program_limit_exceeded then
  return to_tsvector('simple', left((
    select string_agg(one #>> '{}', ' ') from jsonb_path_query(data, 'strict $.** ? (@.type() == "string")') as found (one)
  ), 65536));
end $$;
revoke all on function waybill.words_of(jsonb) from public;
-- Whoever writes a record computes the column.
grant execute on function waybill.words_of(jsonb) to authenticated;

-- Makes a table for a collection, or brings the one that is there up to date, with its policies, privileges and functions.
-- Scope says by which claim of the caller's JWT a record has its owner: sub, tenant_id or workspace_id.
create or replace function waybill.declare_collection(
  table_name name, scope text, table_schema name default 'public'
) returns void language plpgsql set search_path = '' as $declare$
declare
  claim text := case scope when 'user' then 'sub' when 'tenant' then 'tenant_id' when 'workspace' then 'workspace_id' end;
  whole text := format('%I.%I', table_schema, table_name);
  -- Wrapped in a select, it is worked out once for a statement; without a claim it is null, which equals nothing.
  owner text := format(
    $sql$nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> %L, '')$sql$, claim);
  mine text := format('owner = (select %s)', owner);
  functions text[];
  one text;
begin
  if claim is null then
    raise exception 'scope must be user, tenant or workspace, not %', scope;
  end if;
  if table_name !~ '^[A-Za-z_][A-Za-z0-9_-]{0,44}$' then
    raise exception '% cannot name the table of a collection', table_name;
  end if;

  execute format($sql$
    create table if not exists %s (
      owner text collate "C" not null default %s,
      id text collate "C" not null check (id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'),
      data jsonb not null check (jsonb_typeof(data) = 'object'),
      version integer not null default 1 check (version > 0),
      created_at timestamptz(3) not null default now(),
      updated_at timestamptz(3) not null default now(),
      search tsvector not null generated always as (waybill.words_of(data)) stored,
      -- The owner comes first: a key says nothing about the keys of others, and every query is a range of this index.
      primary key (owner, id)
    )$sql$, whole, owner);
  execute format('alter table %s alter column owner set default %s', whole, owner);
  execute format('create index if not exists %I on %s (owner, created_at, id)', table_name || '_created', whole);
  execute format('create index if not exists %I on %s (owner, updated_at, id)', table_name || '_updated', whole);
  -- None on search: @@ is not leakproof, so it is asked of the rows that the policy has let through.
  execute format('create or replace trigger count_version before update on %s
    for each row execute function waybill.count_version()', whole);

  execute format('alter table %s enable row level security', whole);
  execute format('alter table %s force row level security', whole);
  foreach one in array array['select', 'insert', 'update', 'delete'] loop
    execute format('drop policy if exists %I on %s', table_name || '_' || one, whole);
  end loop;
  execute format('create policy %I on %s for select to authenticated using (%s)', table_name || '_select', whole, mine);
  execute format('create policy %I on %s for insert to authenticated with check (%s)', table_name || '_insert', whole, mine);
  execute format('create policy %I on %s for update to authenticated using (%s) with check (%3$s)',
    table_name || '_update', whole, mine);
  execute format('create policy %I on %s for delete to authenticated using (%s)', table_name || '_delete', whole, mine);

  -- A project's default privileges give everything to everybody; truncate would pass by the policies. The update of an id
  -- is for the upsert, which names it; the trigger keeps it as it is.
  execute format('revoke all on %s from public, anon, authenticated, service_role', whole);
  execute format('grant select, delete, insert (id, data), update (id, data) on %s to authenticated', whole);
  -- Enough for the admin client to see that the table is there; it has no business with what is in it.
  execute format('grant select (id) on %s to service_role', whole);

  -- What takes more than one statement, each all or nothing, as the caller and under the caller's policies.
  execute format($sql$
    create or replace function %I.%I(changes jsonb) returns integer
    language plpgsql security invoker set search_path = '' as $body$
    declare
      done integer;
    begin
      -- In one order, so that two of these wait for each other and never in a circle.
      perform 1 from %s as kept where kept.id in (select wanted ->> 'id' from jsonb_array_elements(changes) as wanted)
        order by kept.id for update;
      update %3$s as kept set data = wanted.data
        from jsonb_to_recordset(changes) as wanted(id text, version integer, data jsonb)
        where kept.id = wanted.id and kept.version = wanted.version;
      get diagnostics done = row_count;
      if done <> jsonb_array_length(changes) then
        raise exception 'somebody was faster' using errcode = 'PT409';
      end if;
      return done;
    end $body$$sql$, table_schema, table_name || '_replace_many', whole);
  execute format($sql$
    create or replace function %I.%I(changes jsonb) returns integer
    language plpgsql security invoker set search_path = '' as $body$
    declare
      done integer;
    begin
      perform 1 from %s as kept where kept.id in (select wanted ->> 'id' from jsonb_array_elements(changes) as wanted)
        order by kept.id for update;
      delete from %3$s as kept using jsonb_to_recordset(changes) as wanted(id text, version integer)
        where kept.id = wanted.id and kept.version = wanted.version;
      get diagnostics done = row_count;
      if done <> jsonb_array_length(changes) then
        raise exception 'somebody was faster' using errcode = 'PT409';
      end if;
      return done;
    end $body$$sql$, table_schema, table_name || '_delete_many', whole);
  -- stable, so that PostgREST runs it READ ONLY.
  execute format($sql$
    create or replace function %I.%I(words text, most integer)
    returns table (id text, data jsonb, version integer, owner text, created_at timestamptz, updated_at timestamptz,
      score real)
    language sql stable security invoker set search_path = '' as $body$
      select kept.id, kept.data, kept.version, kept.owner, kept.created_at, kept.updated_at,
        ts_rank(kept.search, asked) as score
      from %s as kept, websearch_to_tsquery('simple', words) as asked
      where kept.search @@ asked
      order by score desc, kept.id
      limit most
    $body$$sql$, table_schema, table_name || '_search', whole);
  functions := array['_replace_many(jsonb)', '_delete_many(jsonb)', '_search(text, integer)'];
  foreach one in array functions loop
    one := format('%I.%I%s', table_schema, table_name || split_part(one, '(', 1), '(' || split_part(one, '(', 2));
    execute format('revoke all on function %s from public, anon, authenticated, service_role', one);
    execute format('grant execute on function %s to authenticated', one);
  end loop;

  -- The one thing that the admin client asks for: that PostgREST reads anew which tables, columns and functions there are.
  one := format('%I.waybill_reload_schema', table_schema);
  execute format($sql$
    create or replace function %s() returns void language sql security invoker set search_path = '' as $body$
      select pg_notify('pgrst', 'reload schema')
    $body$$sql$, one);
  execute format('revoke all on function %s() from public, anon, authenticated, service_role', one);
  execute format('grant execute on function %s() to service_role', one);

  insert into waybill.collections values (table_schema, table_name, claim)
    on conflict on constraint collections_pkey do update set claim = excluded.claim;
end $declare$;
revoke all on function waybill.declare_collection(name, text, name) from public;

-- What is wrong with the declared collections; empty when all is well.
create or replace function waybill.faults() returns table (collection text, fault text)
language sql stable set search_path = '' as $$
  with declared as (
    select c.table_schema || '.' || c.table_name as name, to_regclass(format('%I.%I', c.table_schema, c.table_name)) as oid,
      c.claim
    from waybill.collections as c
  ), policies as (
    select declared.name, declared.claim, p.polcmd, p.polroles, condition.text
    from declared join pg_policy as p on p.polrelid = declared.oid
      cross join lateral (values (pg_get_expr(p.polqual, p.polrelid)), (pg_get_expr(p.polwithcheck, p.polrelid)))
        as condition(text)
    where condition.text is not null
  ), privileges as (
    select declared.name, a.grantee, a.privilege_type as what, t.relowner as owner
    from declared join pg_class as t on t.oid = declared.oid, aclexplode(t.relacl) as a
    union all
    select declared.name, a.grantee, format('%s (%s)', a.privilege_type, c.attname), t.relowner
    from declared join pg_class as t on t.oid = declared.oid join pg_attribute as c on c.attrelid = t.oid,
      aclexplode(c.attacl) as a
    union all
    select declared.name, a.grantee, format('%s %s', a.privilege_type, f.proname), f.proowner
    from declared join pg_class as t on t.oid = declared.oid
      join pg_proc as f on f.pronamespace = t.relnamespace
        and f.proname in (t.relname || '_replace_many', t.relname || '_delete_many', t.relname || '_search'),
      aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as a
  )
  select name, 'the table is not there' from declared where oid is null
  union all
  select name, 'row-level security is not forced' from declared join pg_class on pg_class.oid = declared.oid
    where not (relrowsecurity and relforcerowsecurity)
  union all
  select declared.name, 'there is no policy for ' || command.name from declared,
      (values ('select', 'r'), ('insert', 'a'), ('update', 'w'), ('delete', 'd')) as command(name, code)
    where declared.oid is not null and not exists (
      select from policies where policies.name = declared.name and policies.polcmd::text = command.code)
  union all
  select distinct name, 'a policy does not compare the owner with the claim ' || claim from policies
    where text !~ ('^\(owner = \( SELECT .*''' || claim || '''.*\)\)$') or text ~* '\mor\M'
  union all
  select distinct name, 'a policy is for other roles than authenticated' from policies
    where polroles <> array[(select oid from pg_roles where rolname = 'authenticated')]
  union all
  select privileges.name, format('%s may %s', role.name, lower(what))
    from privileges left join pg_roles on pg_roles.oid = grantee
      cross join lateral (values (coalesce(rolname, 'everybody'))) as role(name)
    where grantee <> owner
      and not (role.name = 'authenticated'
        and what ~ '^(SELECT|DELETE|INSERT \((id|data)\)|UPDATE \((id|data)\)|EXECUTE .*)$')
      and not (role.name = 'service_role' and what = 'SELECT (id)')
$$;
revoke all on function waybill.faults() from public;

notify pgrst, 'reload schema';
