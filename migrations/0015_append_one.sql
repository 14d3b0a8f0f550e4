-- The same promise as eventstore.append for the most frequent append there is: one event, to a
-- stream that is where its writer believes. No batch has to be taken apart, which halves the time
-- of an append when nobody else writes. Answers nothing where that is not so: then
-- eventstore.append says what is.
create function eventstore.append_one(
  stream text, expected bigint, id uuid, type text, data json, metadata json
)
returns table (revision bigint, "position" bigint)
language plpgsql as $$
#variable_conflict use_variable
declare
  head bigint;
  actual bigint;
begin
  perform pg_advisory_xact_lock(hashtext('eventstore.append'));
  -- A statement of its own, so that its snapshot is taken after the lock is held.
  select coalesce(max(e.position), 0) into head from eventstore.events e;
  select e.revision into actual
    from eventstore.events e
    where e.stream = append_one.stream
    order by e.revision desc
    limit 1;
  if expected <> coalesce(actual, -1) then
    return;
  end if;
  insert into eventstore.events
    values (head + 1, stream, expected + 1, id, type, data, metadata, clock_timestamp());
  perform pg_notify('eventstore', '');
  return query select expected + 1, head + 1;
end $$;
