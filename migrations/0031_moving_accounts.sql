-- Set while an account is moved to another address and the log does not say so yet: a worker
-- compares the two when the process that did it has died.
alter table shop.accounts add column moving_since timestamptz;
create index accounts_moving on shop.accounts (moving_since) where moving_since is not null;
