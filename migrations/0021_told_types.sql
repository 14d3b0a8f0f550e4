-- The same promise as before; whoever follows the log is told of what types the new events are, so
-- that who wants none of them is not woken. Nothing is said of them where that would be too long
-- for a notification (8,000 bytes): then everybody is woken.
create or replace function eventstore.append_plain(
  streams text[], expected bigint[], nth integer[], ids uuid[], types text[], data json[],
  metadata json[]
)
returns bigint
language plpgsql as $$
declare
  head bigint;
  is_elsewhere boolean;
  told text;
begin
  perform pg_advisory_xact_lock(hashtext('eventstore.append'));
  -- A statement of its own, so that its snapshot is taken after the lock is held.
  select coalesce(max(e.position), 0) into head from eventstore.events e;
  select exists (
    select 1 from unnest(streams, expected, nth) as r(stream, expected, nth)
    where r.nth = 0 and r.expected <> coalesce((
      select e.revision
      from eventstore.events e
      where e.stream = r.stream
      order by e.revision desc
      limit 1
    ), -1)
  ) into is_elsewhere;
  if is_elsewhere then
    return null;
  end if;
  insert into eventstore.events
    select head + n, i.stream, i.expected + 1 + i.nth, i.id, i.type, i.data, i.metadata,
      clock_timestamp()
    from unnest(streams, expected, nth, ids, types, data, metadata) with ordinality
      as i(stream, expected, nth, id, type, data, metadata, n);
  if cardinality(types) = 1 then
    told := types[1];
  else
    select string_agg(distinct t.type, ',') into told from unnest(types) as t(type);
  end if;
  perform pg_notify('eventstore', case when octet_length(told) < 7000 then told else '' end);
  return head;
end $$;
