-- Rebuilding read models beside those that serve: how far it is, and what it has put aside.
create table shop.rebuilds (
  name text primary key,
  version integer not null,
  state text not null check (state in ('requested', 'running', 'done', 'failed')),
  -- How far the new tables are filled; committed together with their rows.
  position bigint not null default 0,
  -- The head of the log when it began: what progress is measured against.
  target bigint not null default 0,
  -- Whether the new tables are equal to those they replaced; null where that cannot be said.
  matches boolean,
  error text,
  started_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- The tables that the last rebuild has replaced, in the schema previous_<name>.
create table shop.previous_tables (
  name text primary key,
  version integer not null,
  position bigint not null,
  kept_at timestamptz not null default now()
);

-- What people decided about events that a projection could not handle.
create table shop.parking_decisions (
  id bigint generated always as identity primary key,
  name text not null,
  position bigint not null,
  stream text not null,
  decision text not null check (decision in ('retry', 'skip')),
  outcome text not null,
  reason text,
  decided_by uuid,
  decided_at timestamptz not null default now()
);
create index parking_decisions_of_event on shop.parking_decisions (name, position);
