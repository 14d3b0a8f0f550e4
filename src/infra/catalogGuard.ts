// Compares what makes PostgreSQL keep the log as it is (functions, triggers, constraints) with the
// migrations that have made it.
import { readdir, readFile } from 'node:fs/promises'
import type { StateFinding } from '../commands/auditPorts.ts'
import type { Session } from './database.ts'

const directory = new URL('../../migrations/', import.meta.url)
/** As PostgreSQL says them, but for quotes. */
const constraints: Readonly<Record<string, string>> = {
  events_pkey: 'PRIMARY KEY (position)',
  events_stream_revision: 'UNIQUE (stream, revision)',
  events_event_id: 'UNIQUE (event_id)',
  events_in_the_log: 'CHECK (((position > 0) AND (revision >= 0)))',
}

interface Expected {
  /** The bodies of a function by its name: the newest of each form of its arguments. */
  functions: Map<string, Map<string, string>>
  triggers: Map<string, string>
  /** What unique indexes are on, by their names, and tables that have a primary key. */
  indexes: Map<string, string>
  keyed: Set<string>
  migrations: string[]
}

/** What the migrations of this release say. */
async function readExpected(): Promise<Expected> {
  const files = (await readdir(directory)).filter(file => file.endsWith('.sql')).sort()
  const expected: Expected = {
    functions: new Map(),
    triggers: new Map(),
    indexes: new Map(),
    keyed: new Set(),
    migrations: [],
  }
  for (const file of files) {
    expected.migrations.push(file.replace('.sql', ''))
    const text = await readFile(new URL(file, directory), 'utf8')
    collectFunctions(text, expected.functions)
    collectTriggers(text, expected.triggers)
    collectUnique(text, expected)
  }
  return expected
}

const table = String.raw`((?:eventstore|shop)\.\w+)`
const keyedTable = new RegExp(
  String.raw`create\s+table\s+(?:if\s+not\s+exists\s+)?${table}\s*\(([\s\S]*?)\n\s*\);`,
  'gi',
)
const uniqueIndex = new RegExp(
  String.raw`create\s+unique\s+index\s+(?:if\s+not\s+exists\s+)?(\w+)\s+` +
    String.raw`(on\s+${table}[^;]*)`,
  'gi',
)
const dropped = new RegExp(String.raw`drop\s+(?:table|index)\s+(?:if\s+exists\s+)?${table}`, 'gi')

/** What keeps rows from being there twice: two accounts of a name, two checkpoints of a place. */
function collectUnique(text: string, { indexes, keyed }: Expected): void {
  for (const [, name = '', columns = ''] of text.matchAll(keyedTable)) {
    if (/\bprimary\s+key\b/i.test(columns)) keyed.add(name)
  }
  for (const [, name = '', what = '', on = ''] of text.matchAll(uniqueIndex)) {
    indexes.set(`${on.split('.')[0]}.${name}`, plainIndex(what))
  }
  for (const [, name = ''] of text.matchAll(dropped)) {
    keyed.delete(name)
    indexes.delete(name)
  }
}

/** The definition of an index, however it is written. */
function plainIndex(definition: string): string {
  return definition.toLowerCase().replace(/using btree|[\s"]/g, '')
}

const name = String.raw`((?:eventstore|shop)\.\w+)`
const header = new RegExp(
  String.raw`\b(create(?:\s+or\s+replace)?|drop)\s+function\s+(?:if\s+exists\s+)?${name}` +
    String.raw`\s*(?:\(([^)]*)\))?`,
  'gi',
)

function collectFunctions(text: string, functions: Expected['functions']): void {
  for (const match of text.matchAll(header)) {
    const [all, verb = '', name = '', args = ''] = match
    if (verb.toLowerCase() === 'drop') {
      functions.delete(name)
      continue
    }
    const start = text.indexOf('$$', match.index + all.length)
    const end = text.indexOf('$$', start + 2)
    if (start < 0 || end < 0) continue
    const forms = functions.get(name) ?? new Map()
    forms.set(args.replace(/\s+/g, ' ').trim(), text.slice(start + 2, end))
    functions.set(name, forms)
  }
}

const trigger = new RegExp(
  String.raw`create\s+(?:or\s+replace\s+)?trigger\s+(\w+)\s+(before|after)\s+([\w\s]+?)\s+` +
    String.raw`on\s+([\w.]+)\s+for\s+each\s+(row|statement)\s+execute\s+function\s+([\w.]+)`,
  'gi',
)

function collectTriggers(text: string, triggers: Map<string, string>): void {
  for (const [
    ,
    name = '',
    when = '',
    what = '',
    table = '',
    level = '',
    calls = '',
  ] of text.matchAll(trigger)) {
    const events = what
      .toLowerCase()
      .split(/\s+or\s+/)
      .sort()
      .join(' or ')
    triggers.set(`${table}.${name}`, [when, events, level, calls].join(' ').toLowerCase())
  }
}

/** Every difference between the catalogue of the database and the migrations. */
export async function* catalogFindings(session: Session): AsyncGenerator<StateFinding> {
  const expected = await readExpected()
  yield* functionFindings(session, expected)
  yield* triggerFindings(session, expected)
  yield* tableFindings(session)
  yield* uniqueFindings(session, expected)
  yield* settingFindings(session)
  yield* migrationFindings(session, expected)
}

const check = 'what keeps the log as it is'
const found = (key: string, detail: string): StateFinding => ({ check, key, detail })

async function* functionFindings(session: Session, { functions }: Expected) {
  const { rows } = await session.query<{ name: string; body: string; is_set: boolean }>(`
    select n.nspname || '.' || p.proname as name, p.prosrc as body,
      p.prosecdef or p.proconfig is not null as is_set
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('eventstore', 'shop')`)
  const bodies = (name: string) => [...(functions.get(name)?.values() ?? [])]
  for (const { name, body, is_set: isSet } of rows) {
    if (!functions.has(name)) yield found(`function ${name}`, 'No migration has made it.')
    else if (!bodies(name).includes(body) || isSet) {
      yield found(`function ${name}`, 'It is not the one that the migrations have made.')
    }
  }
  for (const name of functions.keys()) {
    const there = rows.filter(row => row.name === name).map(row => row.body)
    if (there.length === 0) yield found(`function ${name}`, 'It is gone.')
  }
}

async function* triggerFindings(session: Session, { triggers }: Expected) {
  const { rows } = await session.query<{ key: string; enabled: string; definition: string }>(`
    select n.nspname || '.' || c.relname || '.' || t.tgname as key, t.tgenabled as enabled,
      pg_get_triggerdef(t.oid) as definition
    from pg_trigger t
    join pg_class c on c.oid = t.tgrelid
    join pg_namespace n on n.oid = c.relnamespace
    join pg_proc f on f.oid = t.tgfoid
    where n.nspname in ('eventstore', 'shop', 'readmodel')
      -- Those of foreign keys. Of others it is only said that they are internal.
      and not (t.tgisinternal and f.pronamespace = 'pg_catalog'::regnamespace)`)
  for (const { key, enabled, definition } of rows) {
    const parsed = new Map<string, string>()
    collectTriggers(definition, parsed)
    const wanted = triggers.get(key)
    if (wanted === undefined) yield found(`trigger ${key}`, 'No migration has made it.')
    else if (parsed.get(key) !== wanted) {
      yield found(`trigger ${key}`, 'It is not the one that the migrations have made.')
    }
    if (!['O', 'A'].includes(enabled)) yield found(`trigger ${key}`, 'It is disabled.')
  }
  for (const key of triggers.keys()) {
    if (!rows.some(row => row.key === key)) yield found(`trigger ${key}`, 'It is gone.')
  }
}

async function* tableFindings(session: Session) {
  const { rows } = await session.query<{ key: string; detail: string }>(
    `
    select 'constraint ' || wanted as key,
      case when oid is null then 'It is gone.' else 'It is another one.' end as detail
    from unnest($1::text[], $2::text[]) as expected (wanted, definition)
    left join pg_constraint on conrelid = 'eventstore.events'::regclass and conname = wanted
    where oid is null
      or replace(replace(pg_get_constraintdef(oid), ' NOT VALID', ''), '"', '') <> definition
    union all
    select 'index ' || indexrelid::regclass, 'It is not valid.'
    from pg_index
    where indrelid = 'eventstore.events'::regclass and not (indisvalid and indisready and indislive)
    union all
    select 'column events.' || attname, 'It has a default.'
    from pg_attribute
    where attrelid = 'eventstore.events'::regclass and attnum > 0 and atthasdef
    union all
    select 'rule ' || schemaname || '.' || tablename || '.' || rulename, 'No migration has made it.'
    from pg_rules
    where schemaname in ('eventstore', 'shop', 'readmodel')
    union all
    select 'table ' || c.oid::regclass, 'It has policies for its rows, or is no table.'
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('eventstore', 'shop')
      and (c.relrowsecurity or c.relkind in ('v', 'm', 'f', 'p'))
    union all
    select 'table ' || inhrelid::regclass, 'Its rows are shown as those of ' || inhparent::regclass
    from pg_inherits i
    join pg_class c on c.oid = i.inhparent
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('eventstore', 'shop') and c.relkind <> 'I'`,
    [Object.keys(constraints), Object.values(constraints)],
  )
  for (const { key, detail } of rows) yield found(key, detail)
}

const isOther = 'It is gone, or is not what the migrations made.'

async function* uniqueFindings(session: Session, { indexes, keyed }: Expected) {
  const there = await session.query<{ name: string; definition: string }>(
    `select wanted as name, pg_get_indexdef(indexrelid) as definition
    from unnest($1::text[]) as wanted
    join pg_index on indexrelid = to_regclass(wanted)
    where indisunique and indisvalid and indislive`,
    [[...indexes.keys()]],
  )
  const definitions = new Map(
    there.rows.map(row => [row.name, plainIndex(row.definition.replace(/^.*? ON /, 'on '))]),
  )
  for (const [name, definition] of indexes) {
    if (definitions.get(name) !== definition) yield found(`unique index ${name}`, isOther)
  }
  const { rows } = await session.query<{ key: string }>(
    `select 'primary key of ' || wanted as key
    from unnest($1::text[]) as wanted
    where not exists (
      select from pg_constraint where conrelid = to_regclass(wanted) and contype = 'p'
    )`,
    [[...keyed]],
  )
  for (const { key } of rows) yield found(key, isOther)
}

/** Settings of roles and databases by which every session of the shop could be led astray. */
async function* settingFindings(session: Session) {
  const { rows } = await session.query<{ key: string }>(`
    select 'setting ' || setting || ' of ' ||
      concat_ws(' in ', nullif(setrole, 0)::regrole::text, datname) as key
    from pg_db_role_setting
    cross join unnest(setconfig) as setting
    left join pg_database d on d.oid = setdatabase
    where (setdatabase = 0 or datname = current_database())
      and setting ~ '^(session_replication_role|search_path|.*_preload_libraries|row_security)='
    union all
    select 'setting ' || name || '=' || reset_val
    from pg_settings
    where (name = 'session_replication_role' and reset_val <> 'origin')
      -- What is named before it stands in the place of functions of PostgreSQL itself.
      or (name = 'search_path' and reset_val ~ ',s*"?pg_catalog')`)
  for (const { key } of rows)
    yield found(key, 'It makes sessions pass triggers, or see other tables.')
}

async function* migrationFindings(session: Session, { migrations }: Expected) {
  const { rows } = await session.query<{ name: string }>('select name from public.kysely_migration')
  const names = new Set(rows.map(row => row.name))
  for (const name of migrations.filter(each => !names.has(each))) {
    yield found(`migration ${name}`, 'It is not noted as done.')
  }
}
