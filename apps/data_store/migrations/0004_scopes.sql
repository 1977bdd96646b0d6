-- Records belong to a user, a tenant or a workspace, as their collection says. The service now writes whose they are; what it
-- may write and see is still for the policies, which know the claims of the transaction only.
alter table records
  add column scope text collate "C" not null default 'user' check (scope in ('user', 'tenant', 'workspace')),
  alter column owner drop default,
  -- To the millisecond, as they are answered: a page ends at exactly the time that its cursor says.
  alter column created_at type timestamptz(3),
  alter column updated_at type timestamptz(3),
  drop constraint records_pkey,
  -- Scope and owner come first: a key says nothing about other owners' keys, and every query is a range of this index.
  add primary key (scope, owner, collection, id);
-- The newest first, and those of the same time by id, as lists are. The other way round Postgres sorts ties only.
create index records_created on records (scope, owner, collection, created_at desc, id);
create index records_updated on records (scope, owner, collection, updated_at desc, id);

-- The transaction says which of its claims it is about (waybill.scope, set by withPrincipal). So a policy is two equalities with
-- values that are computed once, and by itself a range of the index, in order. With an OR of the three scopes the planner makes a
-- bitmap and sorts it: 20 of 1,000 records took 5 times as long.
alter policy records_select on records using (
  scope = (select nullif(current_setting('waybill.scope', true), ''))
  and owner = (select nullif(case current_setting('waybill.scope', true)
    when 'user' then current_setting('waybill.user_id', true)
    when 'tenant' then current_setting('waybill.tenant_id', true)
    when 'workspace' then current_setting('waybill.workspace_id', true)
  end, ''))
);
alter policy records_insert on records with check (
  scope = (select nullif(current_setting('waybill.scope', true), ''))
  and owner = (select nullif(case current_setting('waybill.scope', true)
    when 'user' then current_setting('waybill.user_id', true)
    when 'tenant' then current_setting('waybill.tenant_id', true)
    when 'workspace' then current_setting('waybill.workspace_id', true)
  end, ''))
);
alter policy records_update on records using (
  scope = (select nullif(current_setting('waybill.scope', true), ''))
  and owner = (select nullif(case current_setting('waybill.scope', true)
    when 'user' then current_setting('waybill.user_id', true)
    when 'tenant' then current_setting('waybill.tenant_id', true)
    when 'workspace' then current_setting('waybill.workspace_id', true)
  end, ''))
) with check (
  scope = (select nullif(current_setting('waybill.scope', true), ''))
  and owner = (select nullif(case current_setting('waybill.scope', true)
    when 'user' then current_setting('waybill.user_id', true)
    when 'tenant' then current_setting('waybill.tenant_id', true)
    when 'workspace' then current_setting('waybill.workspace_id', true)
  end, ''))
);
alter policy records_delete on records using (
  scope = (select nullif(current_setting('waybill.scope', true), ''))
  and owner = (select nullif(case current_setting('waybill.scope', true)
    when 'user' then current_setting('waybill.user_id', true)
    when 'tenant' then current_setting('waybill.tenant_id', true)
    when 'workspace' then current_setting('waybill.workspace_id', true)
  end, ''))
);
grant insert (scope, owner) on records to :"user_role";

-- The vectors of a collection in LanceDB, by its owner too; 0 where its records have none.
alter table vector_collections
  add column scope text collate "C" not null default 'user' check (scope in ('user', 'tenant', 'workspace')),
  drop constraint vector_collections_dimensions_check,
  add check (dimensions >= 0),
  drop constraint vector_collections_pkey,
  add primary key (scope, owner, collection);
alter policy vector_collections_select on vector_collections using (
  scope = (select nullif(current_setting('waybill.scope', true), ''))
  and owner = (select nullif(case current_setting('waybill.scope', true)
    when 'user' then current_setting('waybill.user_id', true)
    when 'tenant' then current_setting('waybill.tenant_id', true)
    when 'workspace' then current_setting('waybill.workspace_id', true)
  end, ''))
);
alter policy vector_collections_insert on vector_collections with check (
  scope = (select nullif(current_setting('waybill.scope', true), ''))
  and owner = (select nullif(case current_setting('waybill.scope', true)
    when 'user' then current_setting('waybill.user_id', true)
    when 'tenant' then current_setting('waybill.tenant_id', true)
    when 'workspace' then current_setting('waybill.workspace_id', true)
  end, ''))
);
alter policy vector_collections_update on vector_collections using (
  scope = (select nullif(current_setting('waybill.scope', true), ''))
  and owner = (select nullif(case current_setting('waybill.scope', true)
    when 'user' then current_setting('waybill.user_id', true)
    when 'tenant' then current_setting('waybill.tenant_id', true)
    when 'workspace' then current_setting('waybill.workspace_id', true)
  end, ''))
) with check (
  scope = (select nullif(current_setting('waybill.scope', true), ''))
  and owner = (select nullif(case current_setting('waybill.scope', true)
    when 'user' then current_setting('waybill.user_id', true)
    when 'tenant' then current_setting('waybill.tenant_id', true)
    when 'workspace' then current_setting('waybill.workspace_id', true)
  end, ''))
);
grant insert (scope, owner) on vector_collections to :"user_role";
