-- The same promise as eventstore.append for what nearly every append is: streams that are where
-- their writers believe them to be. One element an event; `nth` counts the events of one stream
-- from 0. Answers the head before it has written, and nothing, having written nothing, where a
-- stream is elsewhere: then eventstore.append says which. For many events it takes two thirds of
-- what eventstore.append takes, for one as long as append_one, whose place it has: that one stays
-- for processes of the version before, which may still run while this is applied.
create function eventstore.append_plain(
  streams text[], expected bigint[], nth integer[], ids uuid[], types text[], data json[],
  metadata json[]
)
returns bigint
language plpgsql as $$
declare
  head bigint;
  is_elsewhere boolean;
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
  perform pg_notify('eventstore', '');
  return head;
end $$;
