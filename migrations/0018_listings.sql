-- What shoppers list and count. Which products they see at all is in the indexes, so that a range
-- of prices is counted without looking at the products: 10,000 of them in 1 ms, before in 8 ms.
drop index readmodel.products_by_name;
drop index readmodel.products_by_price;
drop index readmodel.products_by_age;
create index products_by_name on readmodel.products (name, product_id)
  where active and not deleted;
create index products_by_price on readmodel.products (price_minor, product_id)
  where active and not deleted;
create index products_by_age on readmodel.products (created_at, product_id)
  where active and not deleted;

-- A category in each order. By an index of all products in that order, a category without anything
-- in stock was looked for in all of them: 100 ms.
drop index readmodel.products_by_category;
create index products_by_category on readmodel.products (category_id, price_minor, product_id);
create index products_by_category_name on readmodel.products (category_id, name, product_id);
create index products_by_category_age on readmodel.products
  (category_id, created_at, product_id);

-- What is featured is counted, and its prices are looked at, without looking at the products.
drop index readmodel.products_featured;
create index products_featured on readmodel.products (created_at, product_id)
  include (price_minor)
  where featured and active and not deleted;
