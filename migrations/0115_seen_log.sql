-- The newest event of the log that any process of this shop has seen: a log without it is not the
-- one that the read models were built from. Backups do not hold it. adoptions counts how often an
-- operator has accepted another log: processes that started before must not go on.
create table shop.seen_log (
  id smallint primary key default 1 check (id = 1),
  position bigint,
  event_id uuid,
  stream text collate "C",
  revision bigint,
  seen_at timestamptz not null default now(),
  adoptions integer not null default 0
);
