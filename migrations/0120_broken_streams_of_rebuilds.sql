-- Whether a rebuild is to go into service although events of streams that it reads are missing, and
-- which streams those are: how many, and the first of them. Null where it has met none.
alter table shop.rebuilds add column accepts_broken boolean not null default false;
alter table shop.rebuilds add column broken_streams json;
