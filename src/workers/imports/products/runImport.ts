// Carries a bulk import out: looks the file through, then does its rows in batches, each recorded.
import type { Kysely } from 'kysely'
import { importProduct, tryProduct } from '../../../commands/catalogue/importProduct.ts'
import type { App } from '../../../commands/core/app.ts'
import { derivedId } from '../../../commands/core/ids.ts'
import { isRejection, type Rejection } from '../../../domain/kernel/rejection.ts'
import { withDeadline } from '../../../kit/deadline.ts'
import { isTransient } from '../../../kit/transient.ts'
import type { Envelope } from '../../../ports/envelope.ts'
import type { ImportSeals } from '../../../ports/imports.ts'
import type { Log } from '../../../ports/log.ts'
import type { Tables } from '../../../projections/core/tables.ts'
import { createShelves, type FindCategory, readShelves } from './categories.ts'
import { type CheckedRow, checkRow, type FaultyRow } from './checkRow.ts'
import {
  contentOf,
  type ImportJob,
  markEnded,
  markStarted,
  type RowOutcome,
  recordBatch,
} from './importTables.ts'
import { type Fault, FileRefused, type RawRow } from './rawRow.ts'
import { readCsv } from './readCsv.ts'
import { readNdjson } from './readNdjson.ts'

/**
 * Remembers for all processes what has been written for somebody, before the import says that it
 * has ended: from then on they have to see it.
 */
export type NoteWrites = (person: string) => Promise<void>

export interface ImportDeps {
  db: Kysely<Tables>
  app: App
  log: Log
  seals: ImportSeals
  noteWrites: NoteWrites
  /** Stops the run after the current batch; another run resumes there. */
  signal: AbortSignal
}

const rowsMax = 100_000
/** What a crash makes the next run repeat, and how long a cancellation waits for. */
const batchRows = 256
const rowsInFlight = 64
/** A batch that takes longer hangs: the run ends, and another goes on behind the batch before. */
const batchMsMax = 120_000

/** Runs an import to its end, from where the last run has left it. Throws ImportMoved. */
export async function runImport(deps: ImportDeps, job: ImportJob): Promise<void> {
  const { db } = deps
  if (job.status === 'cancelling') return endImport(deps, job, 'cancelled')
  try {
    if (job.rows === null) await start(deps, job)
    await runRows(deps, job)
  } catch (error) {
    if (!(error instanceof FileRefused)) throw error
    await markEnded(db, job, 'failed', error.message)
  }
}

async function runRows(deps: ImportDeps, job: ImportJob): Promise<void> {
  const { db } = deps
  let { done } = job
  for await (const batch of batchesAfter(rowsOf(deps, job), done)) {
    if (deps.signal.aborted) return
    const doing = async () => {
      const outcomes = await carryOut(deps, job, batch)
      return { outcomes, status: await recordBatch(db, { ...job, done }, outcomes) }
    }
    const { outcomes, status } = await withDeadline(batchMsMax, 'a batch of rows', doing())
    done += outcomes.length
    if (status === 'cancelling') return endImport(deps, job, 'cancelled')
  }
  return endImport(deps, job, 'finished')
}

async function endImport(deps: ImportDeps, job: ImportJob, status: 'finished' | 'cancelled') {
  await deps.noteWrites(job.requested_by)
  return markEnded(deps.db, job, status)
}

async function start(deps: ImportDeps, job: ImportJob): Promise<void> {
  const rows = await withDeadline(batchMsMax, 'looking through the file', countRows(deps, job))
  await markStarted(deps.db, job.import_id, rows)
}

function rowsOf(deps: ImportDeps, job: ImportJob): AsyncIterable<RawRow> {
  const content = contentOf(deps, job)
  return job.format === 'csv' ? readCsv(content) : readNdjson(content)
}

/** Reads the whole file before anything is done, so that a broken one changes nothing. */
async function countRows(deps: ImportDeps, job: ImportJob): Promise<number> {
  let rows = 0
  for await (const _ of rowsOf(deps, job)) {
    rows += 1
    if (rows > rowsMax) throw new FileRefused(`The file has more than ${rowsMax} rows.`)
  }
  if (rows === 0) throw new FileRefused('The file has no rows.')
  return rows
}

/** A row, and the line in which its SKU has been before. */
interface Numbered {
  raw: RawRow
  earlier: number | undefined
}

/** The rows that are not done yet; those that are count only for SKUs that come again. */
async function* batchesAfter(
  rows: AsyncIterable<RawRow>,
  done: number,
): AsyncGenerator<Numbered[]> {
  const lines = new Map<string, number>()
  let batch: Numbered[] = []
  let read = 0
  for await (const raw of rows) {
    const sku = String(raw.cells.sku ?? '')
      .trim()
      .toUpperCase()
    const earlier = sku === '' ? undefined : lines.get(sku)
    if (sku !== '' && earlier === undefined) lines.set(sku, raw.line)
    read += 1
    if (read <= done) continue
    batch.push({ raw, earlier })
    if (batch.length < batchRows) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

async function carryOut(
  deps: ImportDeps,
  job: ImportJob,
  batch: readonly Numbered[],
): Promise<RowOutcome[]> {
  const outcomes: RowOutcome[] = []
  const queue = batch.values()
  const findCategory = job.dry_run
    ? readShelves(deps.db)
    : createShelves(deps.app, name => envelopeOf(deps.app, job, `category/${name}`))
  const failures: unknown[] = []
  const work = async () => {
    for (const { raw, earlier } of queue) {
      if (failures.length > 0) return
      try {
        const checked = checkRow(raw, deps.app.currency)
        outcomes.push(await endOf({ ...deps, job, findCategory }, checked, earlier))
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: rowsInFlight }, work))
  if (failures.length > 0) throw failures[0]
  return outcomes.sort((a, b) => a.line - b.line)
}

interface Run extends ImportDeps {
  job: ImportJob
  findCategory: FindCategory
}

async function endOf(
  run: Run,
  checked: CheckedRow | FaultyRow,
  earlier: number | undefined,
): Promise<RowOutcome> {
  const { line } = checked
  const refused = (...faults: Fault[]): RowOutcome => ({ line, sku: '', stock: 0, faults })
  if ('faults' in checked) return refused(...checked.faults)
  const { sku, stock = 0 } = checked.row
  if (earlier !== undefined) {
    return refused({ pointer: '/sku', detail: `is in line ${earlier} already` })
  }
  const outcome = await decide(run, checked)
  if (outcome === undefined) return refused({ pointer: '', detail: 'failed: the fault is ours' })
  if (isRejection(outcome)) return refused(...faultsOf(outcome))
  return { line, sku, stock, faults: [], imported: outcome }
}

async function decide({ app, log, job, findCategory }: Run, { line, row, category }: CheckedRow) {
  const categoryId = category === undefined ? undefined : await findCategory(category)
  const whole = categoryId === undefined ? row : { ...row, categoryId }
  if (!job.dry_run) {
    const carriedOut = importProduct(app, whole, rowEnvelope(app, job, line))
    return carriedOut.catch(error => {
      // What is transient passes by itself. A defect is that of one row: the others go on.
      if (isTransient(error)) throw error
      log.error({ err: error, importId: job.import_id, line }, 'import row failed')
      return undefined
    })
  }
  const action = await tryProduct(app, whole, category !== undefined && categoryId === undefined)
  if (isRejection(action)) return action
  return { action, productId: '', revision: 0, stockRevision: null }
}

function faultsOf({ detail, extra }: Rejection): Fault[] {
  const errors: unknown = extra?.errors
  const faults = Array.isArray(errors) ? errors.filter(isFault) : []
  return faults.length > 0 ? faults : [{ pointer: '', detail }]
}

function isFault(value: unknown): value is Fault {
  return typeof value === 'object' && value !== null && 'pointer' in value && 'detail' in value
}

/** The envelope of a row: always the same ids for the same row of the same import. */
export function rowEnvelope(app: App, job: ImportJob, line: number): Envelope {
  return envelopeOf(app, job, `row/${line}`)
}

/** The envelope in which a row is undone. */
export function undoEnvelope(app: App, job: ImportJob, line: number): Envelope {
  const envelope = envelopeOf(app, job, `undo/${line}`)
  const id = job.undo_requested_by ?? job.requested_by
  return { ...envelope, actor: { role: 'admin', id, roles: ['admin'] } }
}

function envelopeOf(app: App, job: ImportJob, name: string): Envelope {
  return {
    commandId: derivedId(job.import_id, name),
    correlationId: job.correlation_id,
    causationId: job.import_id,
    actor: { role: 'admin', id: job.requested_by, roles: ['admin'] },
    at: app.clock.now(),
  }
}
