-- Mails go out several in one job: until then a mail belongs to the job that is about to send it.
-- A job that dies keeps nobody from it for longer.
alter table shop.mails add column claimed_until timestamptz;
