-- Sales summed as they are recorded: a report over all of them reads totals and not each line.
-- The next start rebuilds the read model; until then reports read what is summed here.
create table readmodel.sale_totals (
  dimension text not null,
  -- Of the product, category, country or customer; empty for days, and for what has none.
  key text not null,
  currency text not null,
  -- Of the month in UTC, or of the quarter of an hour for totals by day.
  starts_at timestamptz not null,
  lines bigint not null,
  orders bigint not null,
  quantity bigint not null,
  gross_minor bigint not null,
  returned_minor bigint not null,
  primary key (dimension, key, currency, starts_at)
);

-- What goods and charges were called when they were last ordered or credited.
create table readmodel.sale_names (
  sku text primary key,
  name text not null
);

insert into readmodel.sale_names (sku, name)
select sku, max(name) from readmodel.sale_lines group by sku;

insert into readmodel.sale_totals
select d.dimension, d.key, s.currency, d.starts_at, count(*),
  count(distinct s.document_id) filter (where s.kind = 'sale'), sum(s.quantity),
  coalesce(sum(s.amount_minor) filter (where s.kind = 'sale'), 0),
  coalesce(-sum(s.amount_minor) filter (where s.kind <> 'sale'), 0)
from readmodel.sale_lines s,
  lateral (values
    ('day', '', date_bin('15 minutes', s.sold_at, '2000-01-01Z')),
    ('product', s.sku, date_trunc('month', s.sold_at, 'UTC')),
    ('category', coalesce(s.category_id::text, ''), date_trunc('month', s.sold_at, 'UTC')),
    ('country', coalesce(s.country, ''), date_trunc('month', s.sold_at, 'UTC')),
    ('customer', s.customer_id::text, date_trunc('month', s.sold_at, 'UTC'))
  ) as d(dimension, key, starts_at)
where s.sold_at is not null
group by 1, 2, 3, 4;

-- No query has ever used these.
drop index readmodel.sale_lines_by_product;
drop index readmodel.sale_lines_by_customer;
