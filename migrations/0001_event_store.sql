-- The log: one row an event, positions in commit order, nothing is ever updated or deleted.
create schema eventstore;

create table eventstore.events (
  position bigint primary key,
  stream text collate "C" not null,
  revision bigint not null,
  event_id uuid not null,
  type text collate "C" not null,
  -- json, not jsonb: the text of an event stays byte for byte what was written.
  data json not null,
  metadata json not null,
  recorded_at timestamptz not null,
  constraint events_stream_revision unique (stream, revision),
  constraint events_event_id unique (event_id)
);

create function eventstore.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'events are never changed or deleted' using errcode = 'restrict_violation';
end $$;

create trigger events_are_facts
before update or delete or truncate on eventstore.events
for each statement execute function eventstore.refuse_change();

-- Appends a batch of requests in one round trip. One lock orders all writers, so positions are
-- gapless and in commit order. A batch holds at most one request a stream. Expectations: -1 no
-- stream, -2 any, -4 exists, else the exact revision. A request that fails leaves its neighbours
-- alone.
create function eventstore.append(requests json, events json)
returns table (request integer, outcome text, revision bigint, "position" bigint)
language plpgsql as $$
#variable_conflict use_column
declare
  head bigint;
begin
  perform pg_advisory_xact_lock(hashtext('eventstore.append'));
  -- A statement of its own, so that its snapshot is taken after the lock is held.
  select coalesce(max(e.position), 0) into head from eventstore.events e;

  return query
  with incoming as materialized (
    select i.n, i.i, i.id, i.type, i.data::json as data, i.metadata::json as metadata
    from json_to_recordset(events)
      as i(n integer, i integer, id uuid, type text, data text, metadata text)
  ),
  current as materialized (
    select r.n, r.stream, r.expected, r.size, coalesce((
      select e.revision
      from eventstore.events e
      where e.stream = r.stream
      order by e.revision desc
      limit 1
    ), -1) as actual
    from json_to_recordset(requests) as r(n integer, stream text, expected bigint, size integer)
  ),
  compared as materialized (
    select c.*, written.size as written_size, written.revision as written_revision,
      written.position as written_position
    from current c
    left join lateral (
      select count(*)::integer as size, max(e.revision) as revision, max(e.position) as position
      from incoming i
      join eventstore.events e on e.event_id = i.id
      where i.n = c.n
        and e.stream = c.stream
        and (c.expected in (-2, -4) or c.expected <> c.actual)
    ) written on true
  ),
  decided as materialized (
    select c.*, case
      when c.written_size = c.size then 'duplicate'
      when c.written_size > 0 then 'wrong-revision'
      when c.expected = c.actual or c.expected = -2 then 'ok'
      when c.expected = -4 and c.actual >= 0 then 'ok'
      else 'wrong-revision'
    end as outcome
    from compared c
  ),
  inserted as (
    insert into eventstore.events
      (position, stream, revision, event_id, type, data, metadata, recorded_at)
    select head + row_number() over (order by i.n, i.i), d.stream, d.actual + 1 + i.i, i.id, i.type,
      i.data, i.metadata, clock_timestamp()
    from incoming i
    join decided d on d.n = i.n
    where d.outcome = 'ok'
    order by i.n, i.i
  )
  select d.n, d.outcome,
    case d.outcome
      when 'ok' then d.actual + d.size
      when 'duplicate' then d.written_revision
      else d.actual
    end,
    case d.outcome
      when 'duplicate' then d.written_position
      else head + sum(case d.outcome when 'ok' then d.size else 0 end) over (order by d.n)
    end::bigint
  from decided d;

  perform pg_notify('eventstore', '');
end $$;
