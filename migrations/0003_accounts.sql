-- What is never an event: keys, credentials, tokens, mail deliveries, simulated payments.

-- One key a person, sealed with the shop's secret. Erasing it erases the person from the log.
create table shop.person_keys (
  subject uuid primary key,
  sealed_key text,
  created_at timestamptz not null default now(),
  erased_at timestamptz
);

create table shop.accounts (
  customer_id uuid primary key,
  username text not null,
  -- HMAC of the address: enough to find an account, not enough to read who it is.
  email_digest text not null,
  password_hash text not null,
  -- Set once the customer's stream exists; an account that stays unconfirmed may be taken over.
  confirmed boolean not null default false,
  disabled boolean not null default false,
  created_at timestamptz not null default now()
);
create unique index accounts_username on shop.accounts (lower(username));
create unique index accounts_email on shop.accounts (email_digest);

create table shop.signing_keys (
  kid text primary key,
  sealed_private_key text not null,
  public_jwk jsonb not null,
  created_at timestamptz not null default now(),
  retired_at timestamptz
);

-- One row a sign-in. What may still be done with its tokens is decided here, in one place, so that
-- a token that is issued while its session ends is as dead as the others.
create table shop.sessions (
  family uuid primary key,
  customer_id uuid not null,
  opened_at timestamptz not null default now(),
  -- The end that no rotation moves.
  expires_at timestamptz not null,
  revoked_at timestamptz
);
create index sessions_customer on shop.sessions (customer_id);

create table shop.refresh_tokens (
  token_digest text primary key,
  family uuid not null references shop.sessions on delete cascade,
  issued_at timestamptz not null default now(),
  -- The end of idleness.
  expires_at timestamptz not null,
  spent_at timestamptz
);
create index refresh_tokens_family on shop.refresh_tokens (family);

-- Mails by event and template: written with the reaction's checkpoint, so none is lost or doubled.
create table shop.mails (
  event_id uuid not null,
  template text not null,
  order_id uuid not null,
  queued_at timestamptz not null default now(),
  sent_at timestamptz,
  attempts integer not null default 0,
  last_error text,
  primary key (event_id, template)
);
create index mails_waiting on shop.mails (queued_at) where sent_at is null;

create table shop.simulated_payments (
  payment_id uuid primary key,
  order_id uuid not null,
  amount_minor bigint not null,
  currency text not null,
  status text not null,
  reference text not null,
  asked integer not null default 1,
  created_at timestamptz not null default now()
);
create table shop.simulated_refunds (
  refund_id uuid primary key,
  payment_id uuid not null,
  amount_minor bigint not null,
  currency text not null,
  created_at timestamptz not null default now()
);
