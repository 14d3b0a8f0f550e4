-- json, not jsonb, where no query looks inside: what is in orders and carts is written and read
-- whole. Taking it apart for each write and putting it together again for each read cost a fifth of
-- what writing an order does (docs/decisions/0021).
alter table readmodel.orders
  alter column lines type json using lines::json,
  alter column charges type json using charges::json,
  alter column delivery type json using delivery::json,
  alter column timeline type json using timeline::json;
alter table readmodel.carts
  alter column lines type json using lines::json;
