-- An import is carried out in the name of whoever asked for it: rows that somebody has written past
-- the shop must not be. An import that waits while this is brought in has to be uploaded again.
alter table shop.product_import_chunks add column seal text not null default '';
alter table shop.product_imports
  add column seal text not null default '',
  add column undo_seal text not null default '';
