-- An address is confirmed when `confirmed_digest` is its digest: another address is not, by itself.
alter table shop.accounts add column confirmed_digest text;

-- The address that somebody wants instead, sealed, until its owner has confirmed it. It goes with
-- the account when a person is forgotten, and so do the tokens.
create table shop.email_changes (
  customer_id uuid primary key references shop.accounts (customer_id) on delete cascade,
  sealed_email text not null,
  email_digest text not null,
  -- The command that asked, so that a repeat of it is none.
  command_id uuid not null,
  asked_at timestamptz not null default now()
);

-- One row a token that was mailed; of the token a digest is kept. Asking again voids what came
-- before.
create table shop.email_tokens (
  token_digest text primary key,
  customer_id uuid not null references shop.accounts (customer_id) on delete cascade,
  email_digest text not null,
  issued_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ended_at timestamptz
);
create index email_tokens_customer on shop.email_tokens (customer_id, issued_at);
