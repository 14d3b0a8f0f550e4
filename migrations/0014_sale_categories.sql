-- Sales by category: that of each product when it was sold, whatever has become of it since.
create table readmodel.sale_categories (
  product_id uuid primary key,
  category_id uuid
);

alter table readmodel.sale_lines add column category_id uuid;
