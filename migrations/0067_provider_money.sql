-- What the payment provider has moved without the shop, and what of it somebody has to see to.
create table shop.payment_findings (
  finding_id uuid primary key,
  provider text not null,
  kind text not null,
  reference text not null,
  problem text not null,
  detail text not null,
  order_id uuid,
  payment_id uuid,
  amount_minor bigint,
  currency text,
  found_at timestamptz not null default now(),
  resolved_at timestamptz,
  -- Who has seen to it: a person, or the provider where it was booked later.
  resolved_by text
);
create index payment_findings_open on shop.payment_findings (found_at) where resolved_at is null;
create index payment_findings_about on shop.payment_findings (provider, kind, reference);

-- Of refunds that were made in the dashboard of the simulated provider.
alter table shop.simulated_refunds add column reference text unique;

create table shop.simulated_disputes (
  reference text primary key,
  payment_id uuid not null,
  amount_minor bigint not null,
  currency text not null,
  outcome text,
  created_at timestamptz not null default now()
);

-- Refunds of an order with what became of each, and disputes; the next start rebuilds both.
alter table readmodel.orders add column refunds json not null default '[]';
create table readmodel.disputes (
  dispute_id uuid primary key,
  order_id uuid not null,
  payment_id uuid not null,
  provider text not null,
  reference text not null,
  amount_minor bigint not null,
  currency text not null,
  reason text not null,
  state text not null,
  due_by timestamptz,
  opened_at timestamptz not null,
  updated_at timestamptz not null
);
create index disputes_by_age on readmodel.disputes (opened_at desc, dispute_id desc);
create index disputes_by_order on readmodel.disputes (order_id);
