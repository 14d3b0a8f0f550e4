-- Who has uploaded an image: the sizes of images are made for people in turn.
alter table shop.image_jobs add column requested_by text not null default '';
