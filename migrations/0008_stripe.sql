-- Which intent of Stripe stands for a payment: only the one that is noted here is ever confirmed.
create table shop.stripe_payments (
  payment_id uuid primary key,
  -- Null when the payment was called off before it was asked for.
  intent_id text,
  created_at timestamptz not null default now()
);
