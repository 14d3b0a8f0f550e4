-- What auditors ask of the log: where to find events, and the proof that nobody has changed them.

-- Where events are, by what one looks for. The events themselves are read from the log.
create table readmodel.event_index (
  position bigint primary key,
  stream text collate "C" not null,
  revision bigint not null,
  type text collate "C" not null,
  -- The id of who asked for it, or 'anonymous'.
  actor text collate "C" not null,
  correlation_id text collate "C" not null,
  at timestamptz not null
);
-- Of one column each, without the position: what is equal is stored once (docs/decisions/0011).
create index event_index_stream on readmodel.event_index (stream);
create index event_index_type on readmodel.event_index (type);
create index event_index_actor on readmodel.event_index (actor);
create index event_index_correlation on readmodel.event_index (correlation_id);
-- Time grows with the position, nearly: some bytes for each 128 pages tell where to look.
create index event_index_at on readmodel.event_index using brin (at);

-- The keys that sign checkpoints. None is ever deleted: it verifies what it has signed.
create table shop.audit_keys (
  kid text primary key,
  sealed_private_key text not null,
  created_at timestamptz not null default now()
);

-- The hash chain over the log, a row for each part of it: (after, position]. Unique ends and
-- beginnings keep it one chain, whoever extends it.
create table shop.audit_checkpoints (
  position bigint primary key,
  after bigint not null unique,
  -- The checkpoint as a JWS: docs/audit.md says what is in it.
  signed text not null,
  -- For each event of the part its position (8 bytes, big-endian) and its hash (32 bytes).
  marks bytea not null,
  created_at timestamptz not null default now()
);
-- Hashes do not get any smaller.
alter table shop.audit_checkpoints alter column marks set storage external;
