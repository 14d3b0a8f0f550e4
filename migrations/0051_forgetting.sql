-- Forgetting a person also in notes on stock, parked events and mails about their orders.
create index stock_movements_notes on readmodel.stock_movements (split_part(actor, ':', 2))
  where note is not null;

create or replace function shop.forget_person(person uuid) returns void language plpgsql as $$
declare
  address text := (select a.email_digest from shop.accounts a where a.customer_id = person);
  orders uuid[] := array(select o.order_id from readmodel.orders o where o.customer_id = person);
  streams text[] := array(
    select 'customer-' || person union all select 'order-' || id from unnest(orders) as id
  );
begin
  delete from shop.mails m
  where m.account and (m.customer_id = person or m.email_digest = address);
  update shop.mails m
  set state = 'dropped'
  where not m.account and m.order_id = any(orders)
    and m.state in ('due', 'retrying', 'undeliverable');
  update shop.mails m set recipient = null where m.recipient = address;
  update shop.mails m
  set recipient = null, last_error = null
  where m.order_id = any(orders) and (m.recipient is not null or m.last_error is not null);
  -- What the database said of a value may quote it; what an admin noted may name the person.
  update shop.parked_events set error = '[erased]' where stream = any(streams);
  update shop.parking_decisions
  set reason = '[erased]'
  where stream = any(streams) and reason is not null;
  delete from shop.password_resets where customer_id = person;
  delete from shop.sessions where customer_id = person;
  delete from shop.accounts where customer_id = person;
  insert into shop.person_keys (subject, erased_at)
  values (person, now())
  on conflict (subject) do update
  set sealed_key = null, erased_at = coalesce(person_keys.erased_at, now());
end $$;
create index mails_by_order on shop.mails (order_id) where order_id is not null;
