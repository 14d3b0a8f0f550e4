-- What is written, and taken back, to find out whether the disk has room again.
create table shop.write_probes (filler text not null);
alter table shop.write_probes alter column filler set storage external;
