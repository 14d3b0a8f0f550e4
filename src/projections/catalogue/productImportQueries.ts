// What admins see of bulk imports: how far they are, what was wrong, what an undo has left alone.
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../core/tables.ts'

type Db = Kysely<Tables>

const statuses = [
  'queued',
  'running',
  'cancelling',
  'cancelled',
  'finished',
  'failed',
  'undoing',
  'undone',
] as const
export const importStatuses: readonly ImportStatus[] = statuses
export type ImportStatus = (typeof statuses)[number]

interface Row {
  import_id: string
  correlation_id: string
  requested_by: string
  format: 'csv' | 'ndjson'
  dry_run: boolean
  bytes: bigint
  status: ImportStatus
  problem: string | null
  rows: number | null
  done: number
  created: number
  changed: number
  unchanged: number
  refused: number
  faults: number
  requested_at: Date
  started_at: Date | null
  finished_at: Date | null
  undone_at: Date | null
}

export interface Page {
  page: number
  pageSize: number
}

/** How far an import is. */
export async function importProgress(db: Db, importId: string) {
  const { rows } = await sql<Row>`
    select * from shop.product_imports where import_id = ${importId}
  `.execute(db)
  return rows[0] === undefined ? undefined : shown(rows[0])
}

/** An import with a page of its faults and of the rows that an undo has left alone. */
export async function importReport(db: Db, importId: string, { page, pageSize }: Page) {
  const progress = await importProgress(db, importId)
  if (progress === undefined) return undefined
  const offset = (page - 1) * pageSize
  const faults = await sql<{ line: number; pointer: string; detail: string }>`
    select line, pointer, detail
    from shop.product_import_faults
    where import_id = ${importId}
    order by number
    limit ${pageSize} offset ${offset}
  `.execute(db)
  const kept = await sql<{ line: number; productId: string; sku: string; why: string }>`
    select line, product_id as "productId", sku, kept as why
    from shop.product_import_rows
    where import_id = ${importId} and kept is not null
    order by line
    limit ${pageSize} offset ${offset}
  `.execute(db)
  const counts = await sql<{ undone: bigint; kept: bigint }>`
    select count(*) filter (where undone) as undone, count(kept) as kept
    from shop.product_import_rows
    where import_id = ${importId}
  `.execute(db)
  return {
    ...progress,
    errors: faults.rows,
    undone: Number(counts.rows[0]?.undone ?? 0),
    kept: Number(counts.rows[0]?.kept ?? 0),
    keptRows: kept.rows,
    page,
    pageSize,
  }
}

/** Imports, the newest first. */
export async function listImports(db: Db, { page, pageSize }: Page) {
  const { rows } = await sql<Row>`
    select *
    from shop.product_imports
    order by requested_at desc, import_id
    limit ${pageSize} offset ${(page - 1) * pageSize}
  `.execute(db)
  const counted = await sql<{ total: bigint }>`
    select count(*) as total from shop.product_imports
  `.execute(db)
  const total = Number(counted.rows[0]?.total ?? 0)
  return { data: rows.map(shown), page, pageSize, total }
}

const ended: readonly ImportStatus[] = ['cancelled', 'finished', 'failed', 'undone']

/** Whether nothing more happens to an import by itself. */
export function hasEnded({ status }: { status: ImportStatus }): boolean {
  return ended.includes(status)
}

function shown(row: Row) {
  const isWhole = row.status === 'finished' || row.status === 'undoing' || row.status === 'undone'
  const share = row.rows === null ? 0 : row.done / row.rows
  return {
    id: row.import_id,
    status: row.status,
    format: row.format,
    dryRun: row.dry_run,
    bytes: Number(row.bytes),
    problem: row.problem,
    rows: row.rows,
    created: row.created,
    changed: row.changed,
    unchanged: row.unchanged,
    refused: row.refused,
    errorCount: row.faults,
    progress: isWhole ? 1 : share,
    correlationId: row.correlation_id,
    requestedBy: row.requested_by,
    requestedAt: row.requested_at.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    finishedAt: row.finished_at?.toISOString() ?? null,
    undoneAt: row.undone_at?.toISOString() ?? null,
  }
}
