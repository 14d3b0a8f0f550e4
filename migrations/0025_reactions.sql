-- Reactions have a checkpoint and no version: nothing of theirs could be made anew.
alter table shop.checkpoints alter column version drop not null;
update shop.checkpoints
set version = null
where name in ('mailOutbox', 'imageOutbox', 'accountUpkeep', 'webhookOutbox');
-- Counts who has begun a rebuild: what somebody before them still writes is refused.
alter table shop.rebuilds add column epoch bigint not null default 0;
