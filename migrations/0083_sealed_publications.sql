-- What says that a checkpoint has left the machine is sealed: rows that somebody has written do not
-- keep the next one from leaving. What was published before is published once more.
alter table shop.audit_publications add column seal text not null default '';
