-- What a shop decided at its first start and its data rests on ever since. Each start compares its
-- settings with this row: docs/decisions/0023-settings-and-data.md.
create table shop.identity (
  one boolean primary key default true check (one),
  shop_id uuid not null default gen_random_uuid(),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  -- Opens with the SECRET_KEY that everything else here was sealed with, and with no other.
  sealed_sentinel text not null,
  event_store text not null check (event_store in ('postgres', 'eventstoredb')),
  -- Of the log in EventStoreDB; that of PostgreSQL is in this database.
  first_event_id uuid,
  created_at timestamptz not null default now()
);
