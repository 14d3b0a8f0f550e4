-- What a parked event waits for: a type and version (Type@2) that the release that parked it did
-- not know. A release that knows it tries it again by itself.
alter table shop.parked_events add column awaits text;
update shop.parked_events
set awaits = type || '@' || substring(error from 'version (\d+) is not known$')
where error ~ 'version \d+ is not known$';
