-- Orders that expire, are archived, and whose money takes its time.
alter table readmodel.orders add column expires_at timestamptz;
alter table readmodel.orders add column archived boolean not null default false;
create index orders_unpaid on readmodel.orders (expires_at)
  where status = 'pending' and expires_at is not null;

alter table readmodel.order_processes add column expires_at timestamptz;
alter table readmodel.order_processes add column open_money text[] not null default '{}';
create index order_processes_money on readmodel.order_processes (since)
  where open_money <> '{}';
create index order_processes_expiring on readmodel.order_processes (expires_at)
  where expires_at is not null;

-- When a simulated payment that keeps us waiting is answered; null for those answered at once.
alter table shop.simulated_payments add column answers_at timestamptz;

-- What providers have told us, as it came: nothing is dropped, and nothing acted upon twice.
create table shop.payment_callbacks (
  provider text not null,
  callback_id text not null,
  kind text not null,
  payment_id uuid,
  order_id uuid,
  received_at timestamptz not null default now(),
  -- What became of it: recorded, or unknown when it is about no payment of ours.
  outcome text,
  times integer not null default 1,
  primary key (provider, callback_id)
);
