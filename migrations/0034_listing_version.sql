-- The version of what listings show. It changes in the transaction that changes them, so that no
-- cache keeps an old answer because the signal that follows the commit was lost.
create table shop.listing_version (
  is_only boolean primary key default true check (is_only),
  version uuid not null default gen_random_uuid()
) with (fillfactor = 50);
insert into shop.listing_version default values;
