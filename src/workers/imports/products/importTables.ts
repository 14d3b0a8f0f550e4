// What an import keeps in the database: the file, how far it is, what rows led to.

import { type Kysely, sql } from 'kysely'
import type { ImportedRow } from '../../../commands/catalogue/importProduct.ts'
import { cutText } from '../../../domain/kernel/text.ts'
import type { ImportSeals } from '../../../ports/imports.ts'
import type { Tables } from '../../../projections/core/tables.ts'
import { type Fault, FileRefused } from './rawRow.ts'

type Db = Kysely<Tables>

export interface ImportJob {
  import_id: string
  upload_id: string
  correlation_id: string
  requested_by: string
  undo_requested_by: string | null
  format: 'csv' | 'ndjson'
  dry_run: boolean
  status: string
  rows: number | null
  done: number
  bytes: bigint
  seal: string
  undo_seal: string
}

export interface RowOutcome {
  line: number
  sku: string
  /** Pieces that were booked in with it. */
  stock: number
  imported?: ImportedRow
  faults: readonly Fault[]
}

/** Somebody else has moved this import since it was read. */
export class ImportMoved extends Error {
  constructor(importId: string) {
    super(`the import ${importId} is run elsewhere`)
    this.name = 'ImportMoved'
  }
}

const storedFaultsMax = 1_000
const chunkHoursMax = 24
const problemCharactersMax = 1_000

/**
 * Imports that a worker has to do something about. Of each person it is one at a time, and what is
 * under way goes before what waits: nobody waits for all that somebody else has uploaded.
 */
export async function dueImports(db: Db): Promise<string[]> {
  const { rows } = await sql<{ import_id: string }>`
    select import_id
    from (
      select distinct on (person) import_id, requested_at
      from (
        select import_id, requested_at, status = 'queued' as waits,
          coalesce(undo_requested_by, requested_by) as person
        from shop.product_imports
        where status in ('queued', 'running', 'cancelling', 'undoing')
      ) due
      order by person, waits, requested_at, import_id
    ) next
    order by requested_at
    limit 100
  `.execute(db)
  return rows.map(row => row.import_id)
}

export async function loadImport(db: Db, importId: string): Promise<ImportJob | undefined> {
  const { rows } = await sql<ImportJob>`
    select import_id, upload_id, correlation_id, requested_by, undo_requested_by, format, dry_run,
      status, rows, done, bytes, seal, undo_seal
    from shop.product_imports
    where import_id = ${importId}
  `.execute(db)
  return rows[0]
}

const changed =
  'The file is not the one that was uploaded: somebody has changed it in the database.'

/** The bytes of an uploaded file, a piece at a time. Throws FileRefused where they are others. */
export async function* contentOf(
  { db, seals }: { db: Db; seals: ImportSeals },
  { upload_id: uploadId, bytes }: Pick<ImportJob, 'upload_id' | 'bytes'>,
): AsyncGenerator<Buffer> {
  let read = 0n
  for (let sequence = 0; ; sequence += 1) {
    const { rows } = await sql<{ content: Buffer; seal: string }>`
      select content, seal
      from shop.product_import_chunks
      where upload_id = ${uploadId} and sequence = ${sequence}
    `.execute(db)
    const [chunk] = rows
    if (chunk === undefined) break
    const { content, seal } = chunk
    if (seal !== seals.ofPiece(uploadId, sequence, content)) throw new FileRefused(changed)
    read += BigInt(content.length)
    yield content
  }
  if (read !== bytes) throw new FileRefused(changed)
}

/** Whether it is the shop that has taken an import in, and was asked to undo it where it is. */
export function isGenuine(seals: ImportSeals, job: ImportJob): boolean {
  const expectedSeal = seals.ofImport({
    importId: job.import_id,
    uploadId: job.upload_id,
    correlationId: job.correlation_id,
    requestedBy: job.requested_by,
    format: job.format,
    dryRun: job.dry_run,
    bytes: Number(job.bytes),
  })
  if (job.seal !== expectedSeal) return false
  if (job.status !== 'undoing') return true
  return job.undo_seal === seals.ofUndo(job.import_id, job.undo_requested_by ?? '')
}

/** Ends what the shop has not asked for: an import is refused, one that is done stays done. */
export async function refuseForged(db: Db, job: ImportJob): Promise<void> {
  const problem = 'The shop has not asked for this: it was written into the database.'
  await markEnded(db, job, 'failed', problem)
  await sql`
    update shop.product_imports
    set status = 'finished', undo_requested_by = null
    where import_id = ${job.import_id} and status = 'undoing'
  `.execute(db)
}

/** Says that an import is under way, and how many rows there are. */
export async function markStarted(db: Db, importId: string, rows: number): Promise<void> {
  await sql`
    update shop.product_imports
    set status = 'running', rows = ${rows}, started_at = coalesce(started_at, now())
    where import_id = ${importId} and status in ('queued', 'running')
  `.execute(db)
}

/** Ends an import, with the reason when its file was refused; the file is not needed any more. */
export async function markEnded(
  db: Db,
  job: ImportJob,
  status: 'finished' | 'failed' | 'cancelled',
  problem: string | null = null,
): Promise<void> {
  // What a parser says may quote the file.
  const shortened = problem === null ? null : cutText(problem, problemCharactersMax)
  await sql`
    with ended as (
      update shop.product_imports
      set status = ${status},
        problem = ${shortened},
        started_at = coalesce(started_at, now()),
        finished_at = now()
      where import_id = ${job.import_id} and status in ('queued', 'running', 'cancelling')
    )
    delete from shop.product_import_chunks
    where upload_id = ${job.upload_id}
  `.execute(db)
}

/**
 * Records a batch and moves the import behind it, if it is where this run has left it. Gives the
 * status that the import has now. Throws ImportMoved.
 */
export async function recordBatch(
  db: Db,
  job: ImportJob,
  outcomes: readonly RowOutcome[],
): Promise<string> {
  const counts = countsOf(outcomes)
  const faults = outcomes.flatMap(({ line, faults: found }) =>
    found.map(fault => ({ line, ...fault })),
  )
  return db.transaction().execute(async on => {
    const { rows } = await sql<{ status: string; faults: number }>`
      update shop.product_imports
      set done = done + ${outcomes.length},
        created = created + ${counts.created},
        changed = changed + ${counts.changed},
        unchanged = unchanged + ${counts.unchanged},
        refused = refused + ${counts.refused},
        faults = faults + ${faults.length}
      where import_id = ${job.import_id} and done = ${job.done}
        and status in ('running', 'cancelling')
      returning status, faults
    `.execute(on)
    const [moved] = rows
    if (moved === undefined) throw new ImportMoved(job.import_id)
    const before = moved.faults - faults.length
    await insertFaults(
      on,
      job.import_id,
      faults.slice(0, Math.max(0, storedFaultsMax - before)),
      before,
    )
    if (!job.dry_run) await insertRows(on, job.import_id, outcomes)
    return moved.status
  })
}

function countsOf(outcomes: readonly RowOutcome[]) {
  const counts = { created: 0, changed: 0, unchanged: 0, refused: 0 }
  for (const { imported } of outcomes) counts[imported?.action ?? 'refused'] += 1
  return counts
}

async function insertFaults(
  db: Db,
  importId: string,
  faults: readonly (Fault & { line: number })[],
  before: number,
): Promise<void> {
  if (faults.length === 0) return
  const numbered = faults.map((fault, index) => ({ ...fault, number: before + index + 1 }))
  await sql`
    insert into shop.product_import_faults (import_id, number, line, pointer, detail)
    select ${importId}, number, line, pointer, left(detail, 500)
    from json_to_recordset(${JSON.stringify(numbered)}::json)
      as f(number integer, line integer, pointer text, detail text)
  `.execute(db)
}

async function insertRows(
  db: Db,
  importId: string,
  outcomes: readonly RowOutcome[],
): Promise<void> {
  const rows = outcomes.flatMap(({ line, sku, stock, imported }) => {
    if (imported === undefined || imported.action === 'unchanged') return []
    const { productId, action, revision, stockRevision } = imported
    const pieces = action === 'created' ? stock : 0
    const row = { line, product_id: productId, sku, action, revision, stock: pieces }
    return [{ ...row, stock_revision: stockRevision }]
  })
  if (rows.length === 0) return
  await sql`
    insert into shop.product_import_rows
      (import_id, line, product_id, sku, action, revision, stock, stock_revision)
    select ${importId}, line, product_id, sku, action, revision, stock, stock_revision
    from json_to_recordset(${JSON.stringify(rows)}::json) as r(line integer, product_id uuid,
      sku text, action text, revision bigint, stock integer, stock_revision bigint)
  `.execute(db)
}

/** Drops the pieces of uploads that never became an import. */
export async function dropStrayChunks(db: Db): Promise<void> {
  await sql`
    delete from shop.product_import_chunks c
    using (
      select upload_id
      from shop.product_import_chunks
      where sequence = 0 and uploaded_at < now() - make_interval(hours => ${chunkHoursMax})
        and upload_id not in (
          select upload_id
          from shop.product_imports
          where status in ('queued', 'running', 'cancelling')
        )
      limit 10
    ) stray
    where c.upload_id = stray.upload_id
  `.execute(db)
}
