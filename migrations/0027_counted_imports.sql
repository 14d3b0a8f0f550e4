-- Where a row of an import counted the stock of a product that was there: its event's revision.
alter table shop.product_import_rows add column stock_revision bigint;
