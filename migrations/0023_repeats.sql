-- The same promise as before, made exact: events that are in the log already are a repeat where the
-- expectation is the first one's, and a conflict where it is another revision, as in EventStoreDB.
create or replace function eventstore.append(requests json, events json)
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
      -- A copy is a repeat only where this append would have written it: found at another revision,
      -- there is something between that the writer has not seen.
      when c.written_size = c.size
        and (c.expected in (-2, -4) or c.written_revision = c.expected + c.size) then 'duplicate'
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
