-- Checkpoints that move in the same round trip as the rows: nobody is there to look at the answer
-- before the commit is sent, so a lease that is lost has to fail the transaction by itself.
create function shop.assert_moved(missing bigint) returns void language plpgsql as $$
begin
  if missing <> 0 then
    raise exception 'the lease is lost' using errcode = 'OS001';
  end if;
end $$;
