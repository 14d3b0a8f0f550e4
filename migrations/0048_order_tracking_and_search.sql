-- The number by which a parcel is followed, in orders and in what is told of them.
alter table readmodel.orders add column tracking text;
alter table readmodel.notifications add column tracking text;

-- What staff finds an order by, as words without accents and punctuation and once more without any
-- separators: number, SKUs, address, phone, tracking number. It follows from the other columns by
-- itself, so that it forgets a person together with them.
create function public.order_words(number text, lines json, delivery json, tracking text)
  returns text
  language sql immutable parallel safe
  return (
    select ' ' || public.plain_words(string_agg(word, ' ')) || ' '
      || string_agg(regexp_replace(lower(word), '[[:punct:][:space:]]+', '', 'g'), ' ')
    from (
      select number as word
      union all
      select distinct line ->> 'sku' from json_array_elements(lines) as line
      union all
      select left(delivery ->> 'shippingAddress', 300)
      union all
      select delivery ->> 'phoneNumber'
      union all
      select tracking
    ) as words
    where word is not null
  );
alter table readmodel.orders
  add column words text not null
    generated always as (public.order_words(order_number, lines, delivery, tracking)) stored;
create index orders_by_words on readmodel.orders using gin (words gin_trgm_ops);

create function public.customer_words(username text, profile jsonb) returns text
  language sql immutable parallel safe
  return ' ' || public.plain_words(
    coalesce(profile ->> 'firstName', '') || ' ' || coalesce(profile ->> 'lastName', '')
      || ' ' || username || ' ' || coalesce(profile ->> 'email', '')
  ) || ' ' || regexp_replace(coalesce(profile ->> 'phoneNumber', ''), '\D+', '', 'g');
alter table readmodel.customers
  add column words text not null
    generated always as (public.customer_words(username, profile)) stored;
create index customers_by_words on readmodel.customers using gin (words gin_trgm_ops);

-- What a search looks for in such words: as it was written, and without any separators. One or two
-- letters, of which there are no trigrams, are looked for where words begin.
create function public.search_patterns(text) returns setof text
  language sql immutable strict parallel safe
begin atomic
    select distinct '%' || case when length(form) < 3 then ' ' else '' end || form || '%'
    from unnest(array[
      btrim(public.plain_words($1)),
      regexp_replace(lower($1), '[[:punct:][:space:]]+', '', 'g')
    ]) as form
    where form <> '';
end;
