-- The catalogue in full: search by words, images, prices as they were, orderings for cursors.

-- unaccent itself is only stable, since its rules could be exchanged; here they never are. That
-- makes it fit for columns and indexes. Punctuation separates words, so "KETTLE-1" has two.
create function public.plain_words(text) returns text
  language sql immutable strict parallel safe
  return regexp_replace(
    lower(public.unaccent('public.unaccent'::regdictionary, $1)),
    '[[:punct:][:space:]]+', ' ', 'g'
  );

-- What words of a search stand for: products that have words that begin like all of them.
create function public.word_prefixes(text) returns tsquery
  language sql immutable strict parallel safe
  return (
    select to_tsquery('simple', string_agg(quote_literal(word) || ':*', ' & '))
    from regexp_split_to_table(public.plain_words($1), ' ') as word
    where word <> ''
  );

-- The columns follow from the others by themselves, in the shadow tables of a rebuild too.
drop index readmodel.products_by_words;
alter table readmodel.products
  add column images jsonb not null default '[]',
  add column words text not null
    generated always as (public.plain_words(name || ' ' || sku)) stored,
  add column search tsvector not null
    generated always as (
      setweight(to_tsvector('simple', public.plain_words(name)), 'A')
      || setweight(to_tsvector('simple', public.plain_words(sku)), 'B')
      || setweight(to_tsvector('simple', public.plain_words(description)), 'D')
    ) stored;
create index products_by_words on readmodel.products using gin (words gin_trgm_ops);
create index products_by_search on readmodel.products using gin (search);

alter table readmodel.categories
  add column image jsonb,
  add column deleted boolean not null default false;

-- Every price that a product has had, the first one included.
create table readmodel.price_changes (
  position bigint primary key,
  product_id uuid not null,
  price_minor bigint not null,
  currency text not null,
  actor text not null,
  at timestamptz not null
);
create index price_changes_by_product on readmodel.price_changes (product_id, position);

-- Read backwards they give the newest orders first, ids included: what cursors go by.
drop index readmodel.orders_by_age;
drop index readmodel.orders_by_customer;
create index orders_by_age on readmodel.orders (placed_at, order_id);
create index orders_by_customer on readmodel.orders (customer_id, placed_at, order_id);

-- Images whose sizes have to be made. No read model: a rebuild does not make them again.
create table shop.image_jobs (
  hash text primary key,
  queued_at timestamptz not null default now(),
  made_at timestamptz,
  attempts integer not null default 0,
  last_error text
);
create index image_jobs_due on shop.image_jobs (queued_at) where made_at is null;
