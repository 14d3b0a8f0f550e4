-- Who is told about events over HTTP, and every telling: rows first, jobs from rows.
create table shop.webhook_endpoints (
  endpoint_id uuid primary key,
  url text not null,
  description text not null,
  -- Public names such as order.placed.
  events text[] not null,
  -- Sealed: what signs what is sent, and what signed it before the last rotation, until then.
  secret text not null,
  previous_secret text,
  previous_until timestamptz,
  -- The command that made the secret, so that a retry of it gets the same one.
  secret_by uuid not null,
  -- Nothing up to here is sent by itself: where the log ended when the endpoint was made.
  starts_after bigint not null,
  disabled_at timestamptz,
  disabled_because text check (disabled_because in ('admin', 'failures', 'gone')),
  -- Failed attempts since the last one that succeeded.
  failures integer not null default 0,
  -- A replay under way: what is behind the first and not behind the second is sent again.
  replay_after bigint,
  replay_to bigint,
  revision integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table shop.webhook_deliveries (
  delivery_id uuid primary key default gen_random_uuid(),
  endpoint_id uuid not null references shop.webhook_endpoints on delete cascade,
  event_id uuid not null,
  "position" bigint not null,
  type text not null,
  message jsonb not null,
  -- What is sent, from the first attempt on: a signature is over bytes.
  body text,
  -- The command that caused it, as a W3C traceparent.
  trace text not null,
  status text not null default 'pending' check (status in ('pending', 'delivered', 'dead')),
  -- In all, and since it was last queued.
  attempts integer not null default 0,
  tries integer not null default 0,
  due_at timestamptz not null default now(),
  last_status integer,
  last_error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  delivered_at timestamptz,
  constraint webhook_deliveries_once unique (endpoint_id, event_id)
);
create index webhook_deliveries_due on shop.webhook_deliveries (due_at) where status = 'pending';
create index webhook_deliveries_by_age
  on shop.webhook_deliveries (endpoint_id, created_at desc, delivery_id desc);
create index webhook_deliveries_ended on shop.webhook_deliveries (updated_at)
  where status <> 'pending';

-- The command that a mail is due to, as a W3C traceparent: null for mails of before.
alter table shop.mails add column trace text;
