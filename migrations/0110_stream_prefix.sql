-- In front of the names of the shop's streams on EventStoreDB; null until a start remembers it.
alter table shop.identity add column stream_prefix text;
