-- Orders that older releases have taken with NUL or half a surrogate pair in their text. Columns of
-- json hold such text as an escape that no function can read, so what follows could not be computed
-- from it. The replacement character stands in its place, as in all that projections write now.
create function pg_temp.holdable(text) returns json
  language sql immutable strict
  return regexp_replace(
    $1, '(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})', E'\\1\uFFFD', 'gi'
  )::json;
update readmodel.orders
set lines = pg_temp.holdable(lines::text), delivery = pg_temp.holdable(delivery::text)
where lines::text ~* '\\u(0000|d[89a-f])' or delivery::text ~* '\\u(0000|d[89a-f])';
drop function pg_temp.holdable(text);
