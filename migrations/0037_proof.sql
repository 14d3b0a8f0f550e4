-- What the proof of the log rests on beside the chain itself (docs/audit.md).

-- Nobody reads the log before position 1, so nothing may stand there. Existing rows are not checked
-- here: GET /api/audit/verify names them, and a start must not fail because of them.
alter table eventstore.events
  add constraint events_in_the_log check (position > 0 and revision >= 0) not valid;

-- A MAC under a key derived from SECRET_KEY: a snapshot without it is not used. They save reading
-- and hold nothing else, so those of before are dropped.
delete from shop.snapshots;
alter table shop.snapshots add column seal text not null default '';

-- How far the log has been signed, sealed: one of the places of the high-water mark. The signer
-- never goes back behind the newest one.
create table shop.audit_marks (
  log text primary key,
  sealed text not null,
  raised_at timestamptz not null default now()
);

-- Checkpoints that have left the machine.
create table shop.audit_publications (
  target text not null,
  position bigint not null,
  published_at timestamptz not null default now(),
  -- What the target has answered, where that is of use: the token of a time-stamping authority.
  receipt bytea,
  primary key (target, position)
);
