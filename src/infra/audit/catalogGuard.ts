// Compares the catalogue of the database (tables, columns, constraints, indexes, triggers, rules,
// functions) with the one that the migrations of this release make.
import { readdir, readFile } from 'node:fs/promises'
import type { StateFinding } from '../../ports/audit.ts'
import type { Session } from '../postgres/database.ts'
import { type Facts, readFacts } from './catalogFacts.ts'

const directory = new URL('../../../migrations/', import.meta.url)
/** Written by tests/config.test.ts with UPDATE_GOLDEN=1. */
export const catalogFile = new URL('catalogue.txt', directory)

const separator = ' = '

/** The catalogue as the file has it: a line a fact, in the order of their names. */
export function writtenFacts(facts: Facts): string {
  return [...facts].map(([key, definition]) => `${key}${separator}${definition}\n`).join('')
}

async function readExpected(): Promise<Facts> {
  const lines = (await readFile(catalogFile, 'utf8')).split('\n').filter(line => line !== '')
  return new Map(
    lines.map((line): [string, string] => {
      const end = line.indexOf(separator)
      return [line.slice(0, end), line.slice(end + separator.length)]
    }),
  )
}

const check = 'what keeps the log as it is'
const found = (key: string, detail: string): StateFinding => ({ check, key, detail })

/** Every difference between the catalogue of the database and the migrations. */
export async function* catalogFindings(session: Session): AsyncGenerator<StateFinding> {
  yield* settingFindings(session)
  const { missing, newer } = await migrationsOf(session)
  for (const name of missing) yield found(`migration ${name}`, 'It is not noted as done.')
  for (const name of newer) {
    const detail = 'It is none of this release: verify with the newest one that has been started.'
    yield found(`migration ${name}`, detail)
  }
  // What a newer release has made is for that release to compare.
  if (newer.length === 0) yield* factFindings(await readExpected(), await readFacts(session))
}

function* factFindings(expected: Facts, there: Facts): Generator<StateFinding> {
  const unknown = [...there.keys()].filter(key => !expected.has(key))
  for (const key of withoutTableParts(unknown)) yield found(key, 'No migration has made it.')
  for (const [key, definition] of there) {
    if ((expected.get(key) ?? definition) === definition) continue
    yield found(key, `It is not the one that the migrations have made, but ${definition}.`)
  }
  const gone = [...expected.keys()].filter(key => !there.has(key))
  for (const key of withoutTableParts(gone)) yield found(key, 'It is gone.')
}

const tablePart = /^(column|constraint|index) /

/** Leaves out the parts of tables that are reported as a whole. */
function withoutTableParts(keys: readonly string[]): string[] {
  const tables = new Set(keys.filter(key => key.startsWith('table ')))
  return keys.filter(key => {
    const [schema = '', table = ''] = key.replace(tablePart, '').split('.')
    return !(tablePart.test(key) && tables.has(`table ${schema}.${table}`))
  })
}

/** Settings by which sessions pass triggers, find other functions or lose what they wrote. */
async function* settingFindings(session: Session): AsyncGenerator<StateFinding> {
  const { rows } = await session.query<{ key: string }>(`
    select 'setting ' || setting || ' of ' ||
      concat_ws(' in ', nullif(setrole, 0)::regrole::text, datname) as key
    from pg_db_role_setting
    cross join unnest(setconfig) as setting
    left join pg_database d on d.oid = setdatabase
    where (setdatabase = 0 or datname = current_database())
      and split_part(setting, '=', 1) ~* ('^(session_replication_role|search_path|row_security|'
        || '.*_preload_libraries|role|session_authorization|transform_null_equals|array_nulls|'
        || 'check_function_bodies|default_table_access_method|default_transaction_read_only|'
        || 'allow_system_table_mods|fsync|full_page_writes|synchronous_commit|'
        || 'zero_damaged_pages|ignore_checksum_failure|ignore_system_indexes|'
        || 'standard_conforming_strings)$')
      and setting !~* '^synchronous_commit=(on|local|remote_\\w+)$'
    union all
    select 'setting ' || name || '=' || reset_val
    from pg_settings
    where (name = 'session_replication_role' and reset_val <> 'origin')
      or (name in ('fsync', 'full_page_writes', 'synchronous_commit') and reset_val = 'off')
      or (name in ('zero_damaged_pages', 'ignore_checksum_failure', 'ignore_system_indexes',
          'transform_null_equals', 'allow_system_table_mods') and reset_val = 'on')
      -- Schemas that are named before it can shadow functions of PostgreSQL.
      or (name = 'search_path' and reset_val ~ ',\\s*"?pg_catalog')`)
  for (const { key } of rows) {
    yield found(key, 'Sessions pass triggers, find other tables or lose what was acknowledged.')
  }
}

async function migrationsOf(session: Session): Promise<{ missing: string[]; newer: string[] }> {
  const { rows } = await session.query<{ name: string }>('select name from public.kysely_migration')
  const applied = new Set(rows.map(row => row.name))
  const files = (await readdir(directory)).filter(file => file.endsWith('.sql')).sort()
  const shipped = files.map(file => file.replace('.sql', ''))
  return {
    missing: shipped.filter(name => !applied.has(name)),
    newer: [...applied].filter(name => !shipped.includes(name)).sort(),
  }
}
