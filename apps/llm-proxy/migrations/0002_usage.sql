-- One row per call to a model: who, what of whom, how it ended, and what it came to.
create table usage (
  id uuid primary key,
  at timestamptz(3) not null,
  -- Of `at`, in UTC.
  day date not null,
  user_id text collate "C" not null,
  -- The API key that the user came with; null for one who had logged in.
  api_key_id text,
  provider text not null,
  model text not null,
  -- The user's key for the provider; null when none was used.
  key_id text,
  operation text not null,
  stream boolean not null,
  result text not null check (result in ('answered', 'cached', 'failed', 'aborted')),
  input_tokens bigint not null check (input_tokens >= 0),
  output_tokens bigint not null check (output_tokens >= 0),
  cached_tokens bigint not null check (cached_tokens >= 0),
  -- True when the provider did not say and the tokens are our estimate.
  estimated boolean not null,
  -- In millionths of `currency`; null when the price table does not know the model.
  cost_micros bigint check (cost_micros >= 0),
  currency text check (currency ~ '^[A-Z]{3}$'),
  request_id text,
  -- The counter in some process that had this call when it ended: whoever sums up for the same counter leaves it out.
  counted_by uuid not null,
  check ((cost_micros is null) = (currency is null))
);
-- The sums of a user are a range of this one.
create index usage_user_day on usage (user_id, day);
-- For what is too old.
create index usage_day on usage (day);

alter table usage enable row level security;
alter table usage force row level security;
create policy usage_select_own on usage for select to :"user_role"
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')));
-- Whoever holds auth.admin in this very request sees what everybody used.
create policy usage_select_admin on usage for select to :"user_role"
  using ((select string_to_array(current_setting('waybill.permissions', true), ' ')) && array['*', 'auth.*', 'auth.admin']);
grant select on usage to :"user_role";
-- The service itself writes rows for many users together, sums up for budgets, and forgets what is too old.
create policy usage_service_select on usage for select to :"login_role" using (true);
create policy usage_service_insert on usage for insert to :"login_role" with check (true);
create policy usage_service_delete on usage for delete to :"login_role" using (true);
grant select, insert, delete on usage to :"login_role";

-- What a user may use in a day or a month (UTC): set by the user, and beside that by an administrator. Both count.
create table budgets (
  user_id text collate "C" not null default nullif(current_setting('waybill.user_id', true), ''),
  period text not null check (period in ('day', 'month')),
  set_by text not null check (set_by in ('user', 'admin')),
  tokens bigint check (tokens >= 0),
  money_micros bigint check (money_micros >= 0),
  currency text check (currency ~ '^[A-Z]{3}$'),
  updated_at timestamptz(3) not null default now(),
  primary key (user_id, period, set_by),
  check ((money_micros is null) = (currency is null)),
  check (tokens is not null or money_micros is not null)
);

alter table budgets enable row level security;
alter table budgets force row level security;
create policy budgets_select_own on budgets for select to :"user_role"
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')));
create policy budgets_insert_own on budgets for insert to :"user_role"
  with check (set_by = 'user' and user_id = (select nullif(current_setting('waybill.user_id', true), '')));
create policy budgets_update_own on budgets for update to :"user_role"
  using (set_by = 'user' and user_id = (select nullif(current_setting('waybill.user_id', true), '')))
  with check (set_by = 'user' and user_id = (select nullif(current_setting('waybill.user_id', true), '')));
create policy budgets_delete_own on budgets for delete to :"user_role"
  using (set_by = 'user' and user_id = (select nullif(current_setting('waybill.user_id', true), '')));
-- An administrator sees all, and sets what is the administrators' to set: never the user's own.
create policy budgets_select_admin on budgets for select to :"user_role"
  using ((select string_to_array(current_setting('waybill.permissions', true), ' ')) && array['*', 'auth.*', 'auth.admin']);
create policy budgets_insert_admin on budgets for insert to :"user_role"
  with check (set_by = 'admin'
    and (select string_to_array(current_setting('waybill.permissions', true), ' ')) && array['*', 'auth.*', 'auth.admin']);
create policy budgets_update_admin on budgets for update to :"user_role"
  using (set_by = 'admin'
    and (select string_to_array(current_setting('waybill.permissions', true), ' ')) && array['*', 'auth.*', 'auth.admin'])
  with check (set_by = 'admin'
    and (select string_to_array(current_setting('waybill.permissions', true), ' ')) && array['*', 'auth.*', 'auth.admin']);
create policy budgets_delete_admin on budgets for delete to :"user_role"
  using (set_by = 'admin'
    and (select string_to_array(current_setting('waybill.permissions', true), ' ')) && array['*', 'auth.*', 'auth.admin']);
grant select, delete, insert (user_id, period, set_by, tokens, money_micros, currency),
  update (tokens, money_micros, currency, updated_at) on budgets to :"user_role";
-- The service itself reads them to enforce them, and never sets one.
create policy budgets_service on budgets for select to :"login_role" using (true);
grant select on budgets to :"login_role";

-- Once per budget, period and threshold: the primary key says what is the same.
create table budget_alerts (
  user_id text collate "C" not null,
  period text not null check (period in ('day', 'month')),
  -- The first day of the period.
  starts date not null,
  set_by text not null check (set_by in ('user', 'admin')),
  measure text not null check (measure in ('tokens', 'money')),
  percent integer not null check (percent > 0),
  -- What the budget was, in tokens or in millionths of the currency: a budget that is changed is another one.
  budget bigint not null,
  used bigint not null,
  currency text,
  at timestamptz(3) not null default now(),
  primary key (user_id, period, starts, set_by, measure, percent, budget)
);
create index budget_alerts_starts on budget_alerts (starts);

alter table budget_alerts enable row level security;
alter table budget_alerts force row level security;
create policy budget_alerts_select on budget_alerts for select to :"user_role"
  using (user_id = (select nullif(current_setting('waybill.user_id', true), '')));
grant select on budget_alerts to :"user_role";
create policy budget_alerts_service_select on budget_alerts for select to :"login_role" using (true);
create policy budget_alerts_service_insert on budget_alerts for insert to :"login_role" with check (true);
create policy budget_alerts_service_delete on budget_alerts for delete to :"login_role" using (true);
grant select, insert, delete on budget_alerts to :"login_role";
