-- Read models: rebuilt from the log at any time, owned by one projection each.
create schema readmodel;
create schema shop;
create extension if not exists pg_trgm with schema public;
create extension if not exists unaccent with schema public;

-- How far each projection and reaction has got. The position is compare-and-set together with the
-- rows; the lease says who may run it, the epoch counts the takeovers.
create table shop.checkpoints (
  name text primary key,
  version integer not null,
  position bigint not null default 0,
  runner text,
  epoch bigint not null default 0,
  leased_until timestamptz,
  updated_at timestamptz not null default now()
);

-- Events that a projection could not handle, and later events of the same stream, in order.
create table shop.parked_events (
  name text not null,
  position bigint not null,
  stream text not null,
  type text not null,
  error text not null,
  parked_at timestamptz not null default now(),
  primary key (name, position)
);
create index parked_events_stream on shop.parked_events (name, stream);

create table readmodel.products (
  product_id uuid primary key,
  sku text not null,
  name text not null,
  description text not null,
  price_minor bigint not null,
  currency text not null,
  category_id uuid,
  featured boolean not null,
  active boolean not null,
  deleted boolean not null,
  on_hand bigint not null,
  reserved bigint not null,
  revision bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index products_by_name on readmodel.products (name, product_id);
create index products_by_price on readmodel.products (price_minor, product_id);
create index products_by_age on readmodel.products (created_at, product_id);
create index products_by_category on readmodel.products (category_id);
create index products_by_sku on readmodel.products (sku);
create index products_by_words on readmodel.products
  using gin ((name || ' ' || description || ' ' || sku) gin_trgm_ops);

create table readmodel.categories (
  category_id uuid primary key,
  name text not null,
  description text not null,
  active boolean not null,
  revision bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);

create table readmodel.carts (
  cart_id uuid primary key,
  customer_id uuid,
  lines jsonb not null,
  revision bigint not null,
  updated_at timestamptz not null
);

create table readmodel.orders (
  order_id uuid primary key,
  order_number text not null,
  customer_id uuid not null,
  status text not null,
  lines jsonb not null,
  charges jsonb not null,
  total_minor bigint not null,
  captured_minor bigint not null,
  refunded_minor bigint not null,
  currency text not null,
  country text,
  delivery jsonb,
  payment_method text not null,
  timeline jsonb not null,
  revision bigint not null,
  placed_at timestamptz not null,
  updated_at timestamptz not null
);
create index orders_by_customer on readmodel.orders (customer_id, placed_at desc, order_id);
create index orders_by_age on readmodel.orders (placed_at desc, order_id);
create index orders_by_status on readmodel.orders (status, placed_at desc);
create index orders_by_number on readmodel.orders (order_number);

-- What customers are told about their orders, in log order.
create table readmodel.notifications (
  position bigint primary key,
  customer_id uuid not null,
  order_id uuid not null,
  order_number text not null,
  status text not null,
  previous_status text not null,
  at timestamptz not null
);
create index notifications_by_customer on readmodel.notifications (customer_id, position);

create table readmodel.customers (
  customer_id uuid primary key,
  username text not null,
  profile jsonb not null,
  roles text[] not null,
  revision bigint not null,
  registered_at timestamptz not null,
  updated_at timestamptz not null
);

create table readmodel.stock_movements (
  position bigint primary key,
  product_id uuid not null,
  kind text not null,
  on_hand_delta bigint not null,
  reserved_delta bigint not null,
  reason text not null,
  note text,
  order_id uuid,
  actor text not null,
  at timestamptz not null
);
create index stock_movements_by_product on readmodel.stock_movements (product_id, position desc);

-- Money by document line: sales when they are paid, returns, refunds and credits as negatives.
create table readmodel.sale_lines (
  document_id uuid not null,
  line integer not null,
  order_id uuid,
  kind text not null,
  product_id uuid,
  sku text not null,
  name text not null,
  customer_id uuid not null,
  country text,
  quantity bigint not null,
  amount_minor bigint not null,
  currency text not null,
  sold_at timestamptz,
  primary key (document_id, line)
);
create index sale_lines_by_day on readmodel.sale_lines (sold_at) where sold_at is not null;
create index sale_lines_by_product on readmodel.sale_lines (sku);
create index sale_lines_by_customer on readmodel.sale_lines (customer_id);

-- Orders whose process may have something left to do.
create table readmodel.order_processes (
  order_id uuid primary key,
  since timestamptz not null,
  submitted boolean not null,
  paying boolean not null,
  refund_due boolean not null,
  cart_open boolean not null,
  stock text[] not null,
  settling boolean not null
);
-- Most open orders just wait to be paid or shipped; only these have something to be done.
create index order_processes_due on readmodel.order_processes (since)
  where submitted or paying or refund_due or cart_open or settling;
