-- One row for each AI exchange, from the lines that the gateway leaves in Envoy's access log.
--
-- A shipper may bring a line twice (after a crash, after PostgreSQL was away): the row's key is the line itself (and its time,
-- which is a part of it), so the second is nothing. Money is in nano-dollars, as integers: a sum is exact, and a division is the
-- reader's. Each month (UTC) is a partition, so that old ones can be dropped as a whole; the first line of a month makes it.

create schema if not exists ai_gateway;

create table if not exists ai_gateway.exchanges (
  id              uuid not null, -- the MD5 of the line
  time            timestamptz not null,
  request_id      text not null,
  tenant          text not null,
  role            text not null,
  api             text not null,
  provider        text not null,
  model           text not null, -- the name of its price
  model_asked     text not null,
  outcome         text not null,
  status          integer not null,
  attempts        integer not null,
  input_tokens    bigint not null,
  output_tokens   bigint not null,
  usage_source    text not null,
  cost_nanousd    bigint not null,
  duration_ms     bigint not null,
  line            jsonb not null, -- all of it, with what later versions add
  primary key (id, time)
) partition by range (time);

-- Invoices and dashboards ask for a tenant and a time, or for a time.
create index if not exists exchanges_by_tenant on ai_gateway.exchanges (tenant, time);
create index if not exists exchanges_by_time on ai_gateway.exchanges using brin (time);

-- Makes the month's partition if there is none. Several shippers may come to a new month at once: the lock lets them do it one
-- after the other, and is none that keeps anybody from inserting or reading.
create or replace function ai_gateway.make_month(at timestamptz) returns void language plpgsql as $$
declare
  month timestamp := date_trunc('month', at at time zone 'UTC');
  name text := 'exchanges_' || to_char(month, 'YYYY_MM');
begin
  if to_regclass('ai_gateway.' || name) is not null then
    return;
  end if;
  lock table ai_gateway.exchanges in share update exclusive mode;
  if to_regclass('ai_gateway.' || name) is null then
    execute format('create table ai_gateway.%I (like ai_gateway.exchanges)', name);
    execute format('alter table ai_gateway.exchanges attach partition ai_gateway.%I for values from (%L) to (%L)',
      name, month at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
  end if;
end $$;

-- Takes one line of the access log. What is no record of version 1 is left alone: Envoy's other lines, a half-written one.
-- It acts by its owner's rights: a shipper needs `usage` of the schema, and none of the table.
create or replace function ai_gateway.record(raw text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  line jsonb;
begin
  begin
    line := raw::jsonb;
  exception when others then
    return;
  end;
  if line->>'v' is distinct from '1' then
    return;
  end if;
  perform ai_gateway.make_month((line->>'time')::timestamptz);
  insert into ai_gateway.exchanges values (
    md5(raw)::uuid,
    (line->>'time')::timestamptz,
    line->>'request_id',
    line->>'tenant',
    line->>'role',
    line->>'api',
    line->>'provider',
    line->>'model',
    line->>'model_asked',
    line->>'outcome',
    (line->>'status')::integer,
    (line->>'attempts')::integer,
    (line->>'input_tokens')::bigint,
    (line->>'output_tokens')::bigint,
    line->>'usage_source',
    (line->>'cost_nanousd')::bigint,
    (line->>'duration_ms')::bigint,
    line
  ) on conflict (id, time) do nothing;
end $$;

-- What each tenant owes for a month, by who billed it; exact to the nano-dollar. An attempt that failed and was billed all the
-- same is a part of its exchange's cost, and stands here under its own provider and model.
create or replace view ai_gateway.invoices as
with failed as (
  select time, tenant, attempt.*
  from ai_gateway.exchanges,
    jsonb_to_recordset(line->'failed_attempts')
      as attempt (provider text, model text, input_tokens bigint, output_tokens bigint, cost_nanousd bigint)
), billed as (
  select
    time, tenant, provider, model, 1 as requests, input_tokens, output_tokens, usage_source,
    cost_nanousd - coalesce((select sum((one->>'cost_nanousd')::bigint) from jsonb_array_elements(line->'failed_attempts') as one), 0) as cost_nanousd
  from ai_gateway.exchanges
  union all
  select time, tenant, provider, model, 0, input_tokens, output_tokens, 'reported', cost_nanousd from failed
)
select
  date_trunc('month', time at time zone 'UTC')::date as month,
  tenant,
  provider,
  model,
  sum(requests) as requests,
  sum(input_tokens) as input_tokens,
  sum(output_tokens) as output_tokens,
  sum(cost_nanousd) as cost_nanousd,
  sum(cost_nanousd) / 1000000000.0 as cost_usd,
  sum(cost_nanousd) filter (where usage_source = 'estimated') as estimated_nanousd
from billed
group by 1, 2, 3, 4;

-- Drops the months that are over for so long, and says which: `select ai_gateway.forget(interval '400 days')`.
create or replace function ai_gateway.forget(older_than interval) returns setof text language plpgsql as $$
declare
  name text;
begin
  for name in
    select relname from pg_class join pg_inherits on oid = inhrelid
    where inhparent = 'ai_gateway.exchanges'::regclass
      and to_date(substring(relname from '^exchanges_(\d{4}_\d\d)$'), 'YYYY_MM') + interval '1 month' <= (now() - older_than) at time zone 'UTC'
    order by 1
  loop
    execute format('drop table ai_gateway.%I', name);
    return next name;
  end loop;
end $$;
