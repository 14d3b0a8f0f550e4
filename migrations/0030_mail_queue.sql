-- One queue for all mails, those about accounts included, with a state and a time for each.
-- `recipient` is the digest of the address, for limits per recipient; it is cleared after a day.
-- `customer_id`, `email_digest` and `revision` say what a mail about an account is about.
alter table shop.mails
  alter column order_id drop not null,
  add column mail_id uuid not null default gen_random_uuid(),
  add column state text not null default 'due'
    check (state in ('due', 'retrying', 'undeliverable', 'sent', 'dropped')),
  add column due_at timestamptz not null default now(),
  add column failed_since timestamptz,
  add column claimed_by uuid,
  add column account boolean not null default false,
  add column customer_id uuid,
  add column email_digest text,
  add column revision integer,
  add column recipient text;

update shop.mails set state = 'sent' where sent_at is not null;

insert into shop.mails
  (event_id, template, queued_at, account, customer_id, email_digest, revision)
select mail_id, template, queued_at, true, customer_id, email_digest, revision
from shop.account_mails;
drop table shop.account_mails;

drop index shop.mails_waiting;
create unique index mails_id on shop.mails (mail_id);
create index mails_due on shop.mails (account, state, due_at, queued_at)
  where state in ('due', 'retrying');
create index mails_undeliverable on shop.mails (queued_at, mail_id)
  where state = 'undeliverable';
create index mails_by_age on shop.mails (queued_at, mail_id);
create index mails_by_recipient on shop.mails (recipient, sent_at) where recipient is not null;

create or replace function shop.forget_person(person uuid) returns void language plpgsql as $$
declare
  address text := (select a.email_digest from shop.accounts a where a.customer_id = person);
begin
  delete from shop.mails m
  where m.account and (m.customer_id = person or m.email_digest = address);
  update shop.mails m set recipient = null where m.recipient = address;
  delete from shop.password_resets where customer_id = person;
  delete from shop.sessions where customer_id = person;
  delete from shop.accounts where customer_id = person;
  insert into shop.person_keys (subject, erased_at)
  values (person, now())
  on conflict (subject) do update
  set sealed_key = null, erased_at = coalesce(person_keys.erased_at, now());
end $$;
