-- Which rows the tables that a rebuild has replaced had otherwise: per table how many, and the keys
-- of the first of them. Null where the tables were equal or not compared.
alter table shop.rebuilds add column differences json;
