// Reads from the catalogue of the database everything that says what its tables keep and what runs
// when they are read or written: one fact a table, column, constraint, index, trigger or function.
import type { Session } from '../postgres/database.ts'

/** Definitions by kind and name, such as `column shop.accounts.username`. */
export type Facts = ReadonlyMap<string, string>

/** Schemas in which the shop looks for tables and functions. */
const schemas = `('eventstore', 'shop', 'readmodel', 'public')`

/** Objects made after the database was, which may stand before those of PostgreSQL itself. */
const firstOwnId = 16_384

const isOfExtension = (catalog: string, id: string) => `exists (
  select from pg_depend e
  where e.classid = '${catalog}'::regclass and e.objid = ${id} and e.deptype = 'e'
)`

// Not md5, which servers may refuse.
const digest = (text: string) => `left(encode(sha256(convert_to(${text}, 'UTF8')), 'hex'), 32)`

// Those of other schemas are read by their qualified names alone, so they do not matter.
const relations = `
  relations as (
    select n.nspname || '.' || c.relname as name, c.*,
      n.nspname = 'public' and c.relname like 'kysely\\_%' as is_of_kysely
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
      and (
        n.nspname in ('eventstore', 'shop', 'readmodel')
        -- Other tables there are behind all of the shop's, which is said when one is gone.
        or n.nspname = 'public' and c.relname like 'kysely\\_%'
      )
  )`

const tableFacts = `
  select 'table ' || name,
    concat_ws(' ',
      case relkind when 'r' then 'table' when 'p' then 'partitioned' when 'v' then 'view'
        when 'm' then 'materialized' when 'f' then 'foreign' else 'sequence' end,
      case relpersistence when 'p' then null else 'persistence ' || relpersistence::text end,
      case when relrowsecurity or relforcerowsecurity then 'row security' end,
      case when not relhasindex and exists (select from pg_index where indrelid = r.oid)
        then 'without its indexes' end,
      case when not relhastriggers and exists (select from pg_trigger where tgrelid = r.oid)
        then 'without its triggers' end,
      case when relchecks
          <> (select count(*) from pg_constraint where conrelid = r.oid and contype = 'c')
        then 'without its checks' end)
  from relations r
  union all
  select 'column ' || name || '.' || a.attname,
    concat_ws(' ',
      format_type(a.atttypid, a.atttypmod),
      case when a.attcollation <> t.typcollation
        then 'collate ' || (
          select concat_ws('.', nullif(n.nspname, 'pg_catalog'), collname)
          from pg_collation o
          join pg_namespace n on n.oid = collnamespace
          where o.oid = a.attcollation
        ) end,
      case when a.attnotnull then 'not null' end,
      case a.attgenerated when '' then 'default '
        else 'generated ' || a.attgenerated::text || ' ' end
        || pg_get_expr(d.adbin, d.adrelid),
      nullif(a.attidentity, ''))
  from relations r
  join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  join pg_type t on t.oid = a.atttypid
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where not is_of_kysely and relkind <> 'S'`

// One was made NOT VALID, and may have been made valid since. Those that say NOT NULL are columns'.
const constraintFacts = `
  select 'constraint ' || name || '.' || k.conname,
    case k.conname when 'events_in_the_log'
      then replace(pg_get_constraintdef(k.oid), ' NOT VALID', '')
      else pg_get_constraintdef(k.oid) end
      -- Two for each of both tables look at a foreign key.
      || case when k.contype = 'f'
          and (select count(*) from pg_trigger where tgconstraint = k.oid) <> 4
        then ', without its triggers' else '' end
  from relations r
  join pg_constraint k on k.conrelid = r.oid
  where k.contype in ('p', 'u', 'c', 'f', 'x') and not is_of_kysely
  union all
  select 'index ' || name || '.' || x.relname,
    pg_get_indexdef(i.indexrelid)
      || case when indisvalid and indisready and indislive and indimmediate then ''
        else ', which is not used' end
  from relations r
  join pg_index i on i.indrelid = r.oid
  join pg_class x on x.oid = i.indexrelid
  where not is_of_kysely`

const triggerFacts = `
  select 'trigger ' || name || '.' || t.tgname,
    pg_get_triggerdef(t.oid)
      || case when t.tgenabled in ('O', 'A') then '' else ', which is disabled' end
  from relations r
  join pg_trigger t on t.tgrelid = r.oid
  join pg_proc f on f.oid = t.tgfoid
  -- Those of foreign keys. Of others it is only said that they are internal.
  where not (t.tgisinternal and f.pronamespace = 'pg_catalog'::regnamespace
    and t.tgconstraint <> 0 and f.proname like 'RI\\_FKey\\_%')
  union all
  select 'disabled trigger ' || name || '.' || t.tgname, 'of a foreign key'
  from relations r
  join pg_trigger t on t.tgrelid = r.oid
  where t.tgisinternal and t.tgenabled not in ('O', 'A')
  union all
  select 'rule ' || name || '.' || w.rulename, pg_get_ruledef(w.oid)
  from relations r
  join pg_rewrite w on w.ev_class = r.oid
  where w.rulename <> '_RETURN'
  union all
  select 'policy ' || name || '.' || p.polname, 'policy'
  from relations r
  join pg_policy p on p.polrelid = r.oid
  union all
  select 'rows of ' || inhrelid::regclass::text || ' shown in ' || name, 'inherited'
  from relations r
  join pg_inherits i on i.inhparent = r.oid
  union all
  select 'event trigger ' || evtname, evtenabled::text
  from pg_event_trigger v
  where not ${isOfExtension('pg_event_trigger', 'v.oid')}
  union all
  select 'subscription ' || subname, 'rows come from elsewhere'
  from pg_subscription
  where subdbid = (select oid from pg_database where datname = current_database())`

// What an extension has brought along is written in C. Anybody can call other functions its own.
const functionFacts = `
  select 'function ' || n.nspname || '.' || p.proname || '('
      || pg_get_function_identity_arguments(p.oid) || ')',
    concat_ws(' ', l.lanname, pg_get_function_result(p.oid), p.prokind, p.provolatile,
      case when p.proisstrict then 'strict' end,
      case when p.prosecdef then 'security definer' end,
      'set ' || array_to_string(p.proconfig, ', '),
      ${digest("coalesce(pg_get_function_arguments(p.oid), '')")},
      ${digest('coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)')})
  from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace
  join pg_language l on l.oid = p.prolang
  where (n.nspname in ${schemas} or n.nspname = 'pg_catalog' and p.oid >= ${firstOwnId})
    and not (l.lanname = 'c' and ${isOfExtension('pg_proc', 'p.oid')})
  union all
  select 'operator ' || o.oid::regoperator::text, o.oprcode::text
  from pg_operator o
  join pg_namespace n on n.oid = o.oprnamespace
  where o.oid >= ${firstOwnId} and (n.nspname in ${schemas} or n.nspname = 'pg_catalog')
    and not ${isOfExtension('pg_operator', 'o.oid')}
  union all
  select 'cast from ' || format_type(castsource, null) || ' to ' || format_type(casttarget, null),
    castcontext::text
  from pg_cast c
  where c.oid >= ${firstOwnId} and not ${isOfExtension('pg_cast', 'c.oid')}
  union all
  select 'type ' || n.nspname || '.' || t.typname, t.typtype::text
  from pg_type t
  join pg_namespace n on n.oid = t.typnamespace
  where n.nspname in ${schemas} and t.typtype in ('d', 'e', 'r')
    and not ${isOfExtension('pg_type', 't.oid')}`

// Rows of PostgreSQL's own that nobody has changed are as its first transaction wrote them, and
// functions in SQL as later ones did before there was an information schema. Those in C are called
// by number, whatever their row says, and a grant changes it.
const isChanged = (alias: string, id = 'oid') =>
  `${alias}.${id} < ${firstOwnId} and ${alias}.xmin <> '1'::xid`
const clusterMade = `(
  select max(xmin::text::bigint) from pg_attribute
  where attrelid = 'information_schema.sql_parts'::regclass
)`

const builtInFacts = `
  select 'changed operator ' || o.oid::regoperator::text, o.oprcode::text
  from pg_operator o
  where ${isChanged('o')}
  union all
  select 'changed aggregate ' || aggfnoid::oid::regprocedure::text, aggtransfn::text
  from pg_aggregate g
  where ${isChanged('g', 'aggfnoid')}
  union all
  select 'changed function ' || p.oid::regprocedure::text, l.lanname
  from pg_proc p
  join pg_language l on l.oid = p.prolang
  where p.oid < ${firstOwnId} and p.xmin::text::bigint > ${clusterMade}
    and p.pronamespace = 'pg_catalog'::regnamespace and l.lanname not in ('internal', 'c')
  union all
  select 'changed type ' || format_type(t.oid, null), t.typinput::text
  from pg_type t
  where ${isChanged('t')} and t.typtype = 'b' and t.typelem = 0
  union all
  select 'changed cast from ' || format_type(castsource, null) || ' to '
    || format_type(casttarget, null), castfunc::text
  from pg_cast c
  where ${isChanged('c')}
  union all
  select 'changed operator class ' || c.opcname || ' of ' || m.amname, c.opcdefault::text
  from pg_opclass c
  join pg_am m on m.oid = c.opcmethod
  where ${isChanged('c')}
  union all
  select 'changed operator in ' || f.opfname || ' ' || a.amopstrategy,
    a.amopopr::regoperator::text
  from pg_amop a
  join pg_opfamily f on f.oid = a.amopfamily
  where f.oid < ${firstOwnId} and (a.oid >= ${firstOwnId} or a.xmin <> '1'::xid)
    and not ${isOfExtension('pg_amop', 'a.oid')}
  union all
  select 'changed support of ' || f.opfname || ' ' || a.amprocnum, a.amproc::regprocedure::text
  from pg_amproc a
  join pg_opfamily f on f.oid = a.amprocfamily
  where f.oid < ${firstOwnId} and (a.oid >= ${firstOwnId} or a.xmin <> '1'::xid)
    and not ${isOfExtension('pg_amproc', 'a.oid')}
  union all
  select 'operator class ' || n.nspname || '.' || c.opcname, c.opckeytype::regtype::text
  from pg_opclass c
  join pg_namespace n on n.oid = c.opcnamespace
  where c.oid >= ${firstOwnId} and c.opcdefault and not ${isOfExtension('pg_opclass', 'c.oid')}`

const allFacts = [tableFacts, constraintFacts, triggerFacts, functionFacts, builtInFacts]
const query = `
  with ${relations}, facts (key, definition) as (
    ${allFacts.join('\n union all \n')}
  )
  select key, regexp_replace(definition, '\\s+', ' ', 'g') as definition
  from facts
  order by key collate "C", definition collate "C"`

/**
 * What the catalogue says. Everything is named with its schema for the rest of the transaction, so
 * that it does not depend on settings what is read here.
 */
export async function readFacts(session: Session): Promise<Facts> {
  await session.query('set local search_path = pg_catalog')
  const { rows } = await session.query<{ key: string; definition: string }>(query)
  return new Map(rows.map(({ key, definition }) => [key, definition]))
}
