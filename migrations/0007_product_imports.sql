-- Bulk imports of products: the file until it has been read, how far it is, what each row led to.

-- Pieces of an uploaded file. API and workers may be on different machines: this they share.
create table shop.product_import_chunks (
  upload_id uuid not null,
  sequence integer not null,
  content bytea not null,
  uploaded_at timestamptz not null default now(),
  primary key (upload_id, sequence)
);
create index product_import_chunks_by_age on shop.product_import_chunks (uploaded_at)
  where sequence = 0;

create table shop.product_imports (
  import_id uuid primary key,
  upload_id uuid not null,
  correlation_id uuid not null,
  requested_by text not null,
  format text not null check (format in ('csv', 'ndjson')),
  dry_run boolean not null,
  -- SHA-256 of the file: the same key with another file is another request.
  digest text not null,
  bytes bigint not null,
  status text not null check (status in
    ('queued', 'running', 'cancelling', 'cancelled', 'finished', 'failed', 'undoing', 'undone')),
  -- Why the file as a whole was refused.
  problem text,
  -- Rows in the file, known once it has been looked through; rows that are done.
  rows integer,
  done integer not null default 0,
  created integer not null default 0,
  changed integer not null default 0,
  unchanged integer not null default 0,
  refused integer not null default 0,
  faults integer not null default 0,
  requested_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  undo_requested_by text,
  undone_at timestamptz
);
create index product_imports_by_age on shop.product_imports (requested_at desc, import_id);
create index product_imports_waiting on shop.product_imports (requested_at)
  where status in ('queued', 'running', 'cancelling', 'undoing');

-- The first faults of an import; how many there are altogether is counted.
create table shop.product_import_faults (
  import_id uuid not null references shop.product_imports,
  number integer not null,
  line integer not null,
  pointer text not null,
  detail text not null,
  primary key (import_id, number)
);

-- What the rows led to, as far as it can be undone.
create table shop.product_import_rows (
  import_id uuid not null references shop.product_imports,
  line integer not null,
  product_id uuid not null,
  sku text not null,
  action text not null check (action in ('created', 'changed')),
  -- Of the product, as the row has left it.
  revision bigint not null,
  -- Pieces that were booked in with it.
  stock integer not null,
  undone boolean not null default false,
  -- Why it was not undone.
  kept text,
  primary key (import_id, line)
);
create index product_import_rows_kept on shop.product_import_rows (import_id, line)
  where kept is not null;
