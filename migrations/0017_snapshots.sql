-- What long streams had come to: a note that saves reading them from their beginning, and nothing
-- that the log does not have. It is about one event, by its id: where the log has another one there
-- (it was brought back from a copy), the note is of no use and is not used.
create table shop.snapshots (
  stream text collate "C" primary key,
  revision bigint not null,
  event_id uuid not null,
  version integer not null,
  written json not null,
  taken_at timestamptz not null default now()
);
