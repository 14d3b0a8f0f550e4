-- Words are found however they are separated (Wi-Fi, wifi; tea pot, teapot; XK-100-B/2, XK100B2),
-- Chinese, Japanese and Korean inside of a run of characters, and C++ as itself.

-- Words without accents and punctuation, as in plain_words, but with `C++` and `C#` kept apart from
-- `C`, and with spaces around each run of Chinese, Japanese or Korean characters.
create function public.search_words(text) returns text
  language sql immutable strict parallel safe
  return regexp_replace(
    public.plain_words(regexp_replace(regexp_replace(regexp_replace(
      $1,
      '([[:alnum:]])\+\+', '\1plusplus', 'g'),
      '([[:alnum:]])\+(?![[:alnum:]])', '\1plus', 'g'),
      '([[:alpha:]])#(?![[:alnum:]])', '\1sharp', 'g')),
    '([\u2E80-\u9FFF\uAC00-\uD7AF\uF900-\uFAFF]+)', ' \1 ', 'g'
  );

-- The same with a space behind each such character: looked for as phrases of single characters.
create function public.search_characters(text) returns text
  language sql immutable strict parallel safe
  return regexp_replace($1, '([\u2E80-\u9FFF\uAC00-\uD7AF\uF900-\uFAFF])', ' \1 ', 'g');

-- What a text is found by: its words, its tokens without their punctuation, and each two words
-- that follow each other as one.
create function public.search_lexemes(text) returns tsvector
  language sql immutable strict parallel safe
  return (
    select to_tsvector('simple', public.search_characters(words))
      || to_tsvector('simple', coalesce((
        select string_agg(replace(public.search_words(token), ' ', ''), ' ')
        from regexp_split_to_table($1, '\s+') as token
        where token ~ '[[:alnum:]][[:punct:]]+[[:alnum:]]'
      ), ''))
      || to_tsvector('simple', coalesce((
        select string_agg(word || next, ' ')
        from (
          select word, lead(word) over (order by place) as next
          from regexp_split_to_table(btrim(words), '\s+') with ordinality as split (word, place)
        ) as pairs
        where next is not null and word !~ '[\u2E80-\u9FFF\uAC00-\uD7AF\uF900-\uFAFF]'
          and next !~ '[\u2E80-\u9FFF\uAC00-\uD7AF\uF900-\uFAFF]'
      ), ''))
    from public.search_words($1) as words
  );

-- One word of a search: words that begin like it, or those characters one after the other.
create function public.search_term(text) returns text
  language sql immutable strict parallel safe
  return case
    when $1 ~ '^[\u2E80-\u9FFF\uAC00-\uD7AF\uF900-\uFAFF]' then
      '(' || (
        select string_agg(quote_literal(sign), ' <-> ')
        from regexp_split_to_table($1, '') as sign
      ) || ')'
    else quote_literal($1) || ':*'
  end;

-- What a search stands for: all of its words, with any two neighbours, or all of them, as one.
create function public.search_query(text) returns tsquery
  language sql immutable strict parallel safe
  return (
    with words as (
      select word, place
      from regexp_split_to_table(btrim(public.search_words($1)), '\s+')
        with ordinality as split (word, place)
      where word <> ''
    ), ways as (
      select string_agg(public.search_term(word), ' & ') as way from words
      union all
      select (
        select string_agg(public.search_term(case when w.place = joint.place
          then w.word || (select n.word from words n where n.place = w.place + 1)
          else w.word end), ' & ')
        from words w
        where w.place <> joint.place + 1
      )
      from words joint
      where joint.place < (select max(place) from words) and (select max(place) from words) <= 8
      union all
      select public.search_term(string_agg(word, '' order by place))
      from words
      having count(*) between 3 and 8
    )
    select to_tsquery('simple', string_agg('(' || way || ')', ' | ')) from ways
  );

alter table readmodel.products drop column search;
alter table readmodel.products
  add column search tsvector not null
    generated always as (
      setweight(public.search_lexemes(name), 'A')
      || setweight(public.search_lexemes(sku), 'B')
      || setweight(public.search_lexemes(description), 'D')
    ) stored;
create index products_by_search on readmodel.products using gin (search);
