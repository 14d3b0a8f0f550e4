-- Several mails go out in one job, and a mail may be in two jobs. Until then it belongs to the one
-- that is about to send it; one that dies keeps it from the others for no longer.
alter table shop.mails add column claimed_until timestamptz;
