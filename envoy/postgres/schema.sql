-- One row for each AI exchange, from the lines that the gateway leaves in Envoy's access log.
--
-- A shipper may bring a line twice (after a crash, after PostgreSQL was away): the row's key is the line itself (and its time,
-- which is a part of it), so the second is nothing. Money is in nano-dollars, as integers: a sum is exact, and a division is the
-- reader's. Each month (UTC) is a partition, so that old ones can be dropped as a whole; the first line of a month makes it.
--
-- A line that can't be read is no reason to lose it, or to keep those behind it waiting: it goes to `unread`, with the reason, and
-- `ai_gateway.metrics()` tells how many there are. This file may be applied again, over an older version of itself as well.

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
  input_tokens    numeric not null, -- the gateway's counts go to 2^64 - 1, which no bigint holds
  output_tokens   numeric not null,
  usage_source    text not null,
  cost_nanousd    numeric not null,
  duration_ms     numeric not null,
  line            jsonb not null, -- all of it, with what later versions add
  primary key (id, time)
) partition by range (time);

-- A column of 8 bytes refused what a provider's lie had made of a cost.
do $$
begin
  if exists (
    select from information_schema.columns
    where table_schema = 'ai_gateway' and table_name = 'exchanges' and column_name = 'cost_nanousd' and data_type = 'bigint'
  ) then
    drop view if exists ai_gateway.invoices;
    alter table ai_gateway.exchanges
      alter column input_tokens type numeric,
      alter column output_tokens type numeric,
      alter column cost_nanousd type numeric,
      alter column duration_ms type numeric;
  end if;
end $$;

-- Invoices and dashboards ask for a tenant and a time, or for a time.
create index if not exists exchanges_by_tenant on ai_gateway.exchanges (tenant, time);
create index if not exists exchanges_by_time on ai_gateway.exchanges using brin (time);

-- What was brought and could not be read, until somebody has dealt with it: `select ai_gateway.reread()` after an update of this
-- file, or a `delete`.
create table if not exists ai_gateway.unread (
  id              uuid primary key, -- the MD5 of the line
  came            timestamptz not null default now(),
  reason          text not null,
  line            text not null
);

-- How far each access log has been brought. A file is known by the MD5 of how it begins.
create table if not exists ai_gateway.logs (
  log             text not null,
  file            text not null,
  position        bigint not null,
  at              timestamptz not null default now(),
  primary key (log, file)
);

create or replace function ai_gateway.positions(of_log text) returns table (file text, "position" bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select logs.file, logs.position from ai_gateway.logs where logs.log = of_log
$$;

create or replace function ai_gateway.brought(of_log text, of_file text, up_to bigint) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into ai_gateway.logs values (of_log, of_file, up_to) on conflict (log, file) do update set position = up_to, at = now()
$$;

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

-- The line as JSON. What jsonb has no place for (NUL, half of a surrogate pair) becomes the replacement character, as it does in
-- the gateway's own lines.
create or replace function ai_gateway.as_json(raw text) returns jsonb language plpgsql immutable as $$
begin
  return raw::jsonb;
exception when untranslatable_character or invalid_text_representation then
  -- An escape begins behind an even number of backslashes.
  return regexp_replace(
    raw,
    '(?<!\\)((?:\\\\)*)(?:\\u0000|\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f][0-9a-f]{2})|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2})',
    '\1\\ufffd', 'gi')::jsonb;
end $$;

-- Why a line is no record of version 1; null if it is one. A field of another type is no value, whatever could be made of it.
create or replace function ai_gateway.mistake(line jsonb) returns text language plpgsql stable as $$
declare
  field text;
  at timestamptz;
begin
  if jsonb_typeof(line) <> 'object' then
    return 'not an object';
  elsif line->'v' is distinct from '1' then
    return 'not of version 1, but ' || coalesce(left(line->>'v', 20), 'of none');
  end if;
  foreach field in array array['time', 'request_id', 'tenant', 'role', 'api', 'provider', 'model', 'model_asked', 'outcome', 'usage_source'] loop
    if jsonb_typeof(line->field) is distinct from 'string' then
      return field || ' is no text';
    end if;
  end loop;
  foreach field in array array['status', 'attempts', 'input_tokens', 'output_tokens', 'cost_nanousd', 'duration_ms'] loop
    if jsonb_typeof(line->field) is distinct from 'number' then
      return field || ' is no number';
    elsif (line->>field)::numeric not between 0 and 18446744073709551615 or (line->>field)::numeric <> trunc((line->>field)::numeric) then
      return field || ' is no count';
    end if;
  end loop;
  if (line->>'status')::numeric > 999 or (line->>'attempts')::numeric > 2147483647 then
    return 'status or attempts is out of range';
  elsif line->>'time' !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$' then
    return 'time is not like 2026-01-31T23:59:59.999Z';
  end if;
  at := (line->>'time')::timestamptz;
  -- Each month is a table: a clock that was wrong must not make one for any month that there could be.
  if at < '2020-01-01T00:00:00Z' or at > now() + interval '2 days' then
    return 'time is before 2020 or in the future';
  end if;
  if line ? 'failed_attempts' then
    if jsonb_typeof(line->'failed_attempts') <> 'array' then
      return 'failed_attempts is no list';
    elsif exists (
      select from jsonb_array_elements(line->'failed_attempts') as one
      where jsonb_typeof(one) <> 'object'
        or jsonb_typeof(one->'provider') is distinct from 'string'
        or jsonb_typeof(one->'model') is distinct from 'string'
        or not coalesce((one @? '$.input_tokens ? (@ >= 0)') and (one @? '$.output_tokens ? (@ >= 0)') and (one @? '$.cost_nanousd ? (@ >= 0)'), false)
    ) then
      return 'failed_attempts has one that is none';
    elsif (select sum((one->>'cost_nanousd')::numeric) from jsonb_array_elements(line->'failed_attempts') as one) > (line->>'cost_nanousd')::numeric then
      return 'failed_attempts cost more than the exchange';
    end if;
  end if;
  return null;
end $$;

-- Takes one line of the access log. One that can't be read is kept as `unread`; Envoy's other lines, which have a start_time and
-- no version, are left alone. What is wrong with the line is never raised, so no line stops those behind it; what is wrong with
-- the database is, so that a shipper keeps the line and comes again.
-- It acts by its owner's rights: a shipper needs `usage` of the schema, and none of the tables.
create or replace function ai_gateway.record(raw text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  line jsonb;
  reason text;
  at timestamptz;
begin
  if raw is null or btrim(raw, E' \t\r\n') = '' then
    return;
  end if;
  begin
    line := ai_gateway.as_json(raw);
    if jsonb_typeof(line) = 'object' and not line ? 'v' and line ? 'start_time' then
      return;
    end if;
    reason := ai_gateway.mistake(line);
    if reason is null then
      at := (line->>'time')::timestamptz;
      perform ai_gateway.make_month(at);
      insert into ai_gateway.exchanges values (
        md5(raw)::uuid,
        at,
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
        (line->>'input_tokens')::numeric,
        (line->>'output_tokens')::numeric,
        line->>'usage_source',
        (line->>'cost_nanousd')::numeric,
        (line->>'duration_ms')::numeric,
        line
      ) on conflict (id, time) do nothing;
      return;
    end if;
  exception when others then
    -- These say that the database is away, full, broken, locked, being ended, or not as this file makes it.
    if left(sqlstate, 2) in ('08', '25', '26', '28', '40', '42', '53', '55', '57', '58', 'F0', 'HV', 'XX', '3D', '3F') then
      raise;
    end if;
    reason := sqlerrm;
  end;
  insert into ai_gateway.unread (id, reason, line) values (md5(raw)::uuid, reason, raw) on conflict (id) do nothing;
end $$;

-- Tries the unread lines again: `select ai_gateway.reread()`, after an update of this file. How many have become rows.
create or replace function ai_gateway.reread() returns bigint language plpgsql as $$
declare
  before bigint := (select count(*) from ai_gateway.unread);
  one ai_gateway.unread;
begin
  for one in select * from ai_gateway.unread loop
    delete from ai_gateway.unread where id = one.id;
    perform ai_gateway.record(one.line);
  end loop;
  return before - (select count(*) from ai_gateway.unread);
end $$;

-- What each tenant owes for a month, by who billed it; exact to the nano-dollar. An attempt that failed and was billed all the
-- same is a part of its exchange's cost, and stands here under its own provider and model.
create or replace view ai_gateway.invoices as
with failed as (
  select time, tenant, attempt.*
  from ai_gateway.exchanges,
    jsonb_to_recordset(line->'failed_attempts')
      as attempt (provider text, model text, input_tokens numeric, output_tokens numeric, usage_source text, cost_nanousd numeric)
), billed as (
  select
    time, tenant, provider, model, 1 as requests, input_tokens, output_tokens, usage_source,
    cost_nanousd - coalesce((select sum((one->>'cost_nanousd')::numeric) from jsonb_array_elements(line->'failed_attempts') as one), 0) as cost_nanousd
  from ai_gateway.exchanges
  union all
  select time, tenant, provider, model, 0, input_tokens, output_tokens, coalesce(usage_source, 'reported'), cost_nanousd from failed
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

-- Requests with a copy for a shadow, and these copies: few among all.
create index if not exists exchanges_shadowed on ai_gateway.exchanges (request_id, time) where line ? 'shadowed';
create index if not exists exchanges_copies on ai_gateway.exchanges (time) where line ? 'shadow';

-- A count of a line; nothing, where none stands there.
create or replace function ai_gateway.count_of(value jsonb) returns numeric language sql immutable as $$
  select case
    when jsonb_typeof(value) = 'number' and (value #>> '{}')::numeric between 0 and 18446744073709551615 then (value #>> '{}')::numeric
  end
$$;

-- How alike two texts are, by their prints: the cosine of the angle between what they consist of, from 0 to 1. Of 64 bits each that
-- differs is a 64th of two right angles, so one pair says little, and many say how it is on the whole.
create or replace function ai_gateway.similarity(one text, other text) returns float8 language sql immutable as $$
  select case when one ~ '^[0-9a-f]{16}$' and other ~ '^[0-9a-f]{16}$' then
    greatest(0, cos(pi() * length(replace((('x' || one)::bit(64) # ('x' || other)::bit(64))::text, '0', '')) / 64))
  end
$$;

-- Whether two answers called the same, by how many calls each has and by their prints; nothing, if neither called anything, or if
-- that could not be read.
create or replace function ai_gateway.same_calls(one jsonb, other jsonb, print text) returns boolean language sql immutable as $$
  select case
    when one->'calls' = '0' and other->'calls' = '0' then null
    when one->'calls' <> other->'calls' then false
    else one->>print = other->>print
  end
$$;

-- Each copy that a shadow got, beside the request that it is a copy of: `select * from ai_gateway.pairs where time > now() - interval
-- '7 days'`. What is the shadow's is called so. Who asks again with the same id has several: a copy is of the last one before it.
create or replace view ai_gateway.pairs as
select
  copy.line->>'shadow' as shadow,
  copy.time,
  copy.request_id,
  mine.tenant,
  mine.role,
  mine.api,
  mine.provider,
  copy.provider as shadow_provider,
  mine.model,
  copy.model as shadow_model,
  mine.outcome,
  copy.outcome as shadow_outcome,
  mine.outcome = 'success' and copy.outcome = 'success' as both_answered,
  mine.input_tokens,
  copy.input_tokens as shadow_input_tokens,
  mine.output_tokens,
  copy.output_tokens as shadow_output_tokens,
  -- By the size of the prompt: it has so many tokens or more, and fewer than the next that stands here.
  case
    when mine.input_tokens < 500 then 0
    when mine.input_tokens < 2000 then 500
    when mine.input_tokens < 8000 then 2000
    when mine.input_tokens < 32000 then 8000
    else 32000
  end as prompt_tokens_from,
  mine.cost_nanousd,
  copy.cost_nanousd as shadow_cost_nanousd,
  coalesce(ai_gateway.count_of(mine.line->'first_token_ms'), ai_gateway.count_of(mine.line->'first_byte_ms')) as first_token_ms,
  coalesce(ai_gateway.count_of(copy.line->'first_token_ms'), ai_gateway.count_of(copy.line->'first_byte_ms')) as shadow_first_token_ms,
  mine.duration_ms,
  copy.duration_ms as shadow_duration_ms,
  mine.line->'answer'->>'finish' as finish,
  copy.line->'answer'->>'finish' as shadow_finish,
  mine.line->'answer'->>'finish' = copy.line->'answer'->>'finish' as same_finish,
  ai_gateway.count_of(mine.line->'answer'->'calls') as calls,
  ai_gateway.count_of(copy.line->'answer'->'calls') as shadow_calls,
  ai_gateway.same_calls(mine.line->'answer', copy.line->'answer', 'tools_print') as same_tools,
  ai_gateway.same_calls(mine.line->'answer', copy.line->'answer', 'arguments_print') as same_arguments,
  ai_gateway.count_of(copy.line->'answer'->'text_bytes') / nullif(ai_gateway.count_of(mine.line->'answer'->'text_bytes'), 0) as length_ratio,
  ai_gateway.similarity(mine.line->'answer'->>'text_print', copy.line->'answer'->>'text_print') as similarity
from ai_gateway.exchanges as copy
cross join lateral (
  select *
  from ai_gateway.exchanges as original
  where original.line ? 'shadowed' and original.request_id = copy.request_id and original.line->>'shadowed' = copy.line->>'shadow'
    and original.time between copy.time - interval '1 hour' and copy.time
  order by original.time desc
  limit 1
) as mine
where copy.line ? 'shadow';

-- What a Prometheus should know of all this, in its own format. `exporter` beside this file serves it; whoever scrapes nothing else
-- may write it to the folder of node_exporter's textfile collector: `psql -Atc 'select ai_gateway.metrics()' >…/ai_gateway.prom`.
create or replace function ai_gateway.metrics() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select format(
    E'# HELP ai_gateway_records_unread Lines of the access log that are no record PostgreSQL could read.\n'
    '# TYPE ai_gateway_records_unread gauge\n'
    'ai_gateway_records_unread %s\n'
    '# HELP ai_gateway_records_today Exchanges of this day (UTC) that are rows in PostgreSQL.\n'
    '# TYPE ai_gateway_records_today gauge\n'
    'ai_gateway_records_today %s\n'
    '# HELP ai_gateway_records_newest_timestamp_seconds When the newest exchange began that is a row in PostgreSQL.\n'
    '# TYPE ai_gateway_records_newest_timestamp_seconds gauge\n'
    'ai_gateway_records_newest_timestamp_seconds %s',
    (select count(*) from ai_gateway.unread),
    (select count(*) from ai_gateway.exchanges where time >= date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'),
    (select coalesce(round(extract(epoch from max(time)), 3), 0) from ai_gateway.exchanges where time >= now() - interval '40 days')
  )
$$;

-- Drops the months that are over for so long, and says which: `select ai_gateway.forget(interval '400 days')`.
create or replace function ai_gateway.forget(older_than interval) returns setof text language plpgsql as $$
declare
  name text;
begin
  delete from ai_gateway.logs where at < now() - older_than;
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
