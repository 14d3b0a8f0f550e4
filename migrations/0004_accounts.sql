-- Passwords that are changed and forgotten, sessions by device, tickets, and people who are erased.

alter table readmodel.customers
  add column disabled boolean not null default false,
  add column erased boolean not null default false;
create index customers_by_age on readmodel.customers (registered_at desc, customer_id);

alter table shop.sessions add column device text;

-- One row a token that was mailed. Asking again voids what came before.
create table shop.password_resets (
  token_digest text primary key,
  customer_id uuid not null,
  issued_at timestamptz not null default now(),
  expires_at timestamptz not null,
  -- Used, or void because of a later one.
  ended_at timestamptz
);
create index password_resets_customer on shop.password_resets (customer_id, issued_at);

-- Mails about accounts that wait to be sent. Whoever asks for a reset leaves a digest of the
-- address, whether there is such an account or not: that is found out when the mail is written.
create table shop.account_mails (
  mail_id uuid primary key,
  template text not null,
  customer_id uuid,
  email_digest text,
  queued_at timestamptz not null default now(),
  attempts integer not null default 0,
  last_error text
);
create index account_mails_waiting on shop.account_mails (queued_at);

-- For opening a WebSocket, once.
create table shop.tickets (
  ticket_digest text primary key,
  customer_id uuid not null,
  family uuid not null references shop.sessions on delete cascade,
  expires_at timestamptz not null
);

create index person_keys_erased on shop.person_keys (erased_at) where erased_at is not null;

-- Forgets a person outside the log. Without the key, what the log holds about them is noise.
create function shop.forget_person(person uuid) returns void language plpgsql as $$
begin
  delete from shop.account_mails m
  where m.customer_id = person
    or m.email_digest = (select a.email_digest from shop.accounts a where a.customer_id = person);
  delete from shop.password_resets where customer_id = person;
  delete from shop.sessions where customer_id = person;
  delete from shop.accounts where customer_id = person;
  insert into shop.person_keys (subject, erased_at)
  values (person, now())
  on conflict (subject) do update
  set sealed_key = null, erased_at = coalesce(person_keys.erased_at, now());
end $$;
