-- The revision of the customer's stream at which a mail was due: what was true before it is told to
-- the address that was good before it. The address itself is kept nowhere but in the log, sealed.
alter table shop.account_mails add column revision integer;
