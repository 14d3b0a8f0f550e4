// Takes uploaded files in for the importer, and passes on what admins want of an import.
import { createHash, randomUUID } from 'node:crypto'
import type { ImportSeals } from '../../ports/imports.ts'
import type { Pool } from '../postgres/database.ts'

export interface Upload {
  importId: string
  correlationId: string
  requestedBy: string
  format: 'csv' | 'ndjson'
  dryRun: boolean
  content: AsyncIterable<Buffer>
}

/** `replayed`: the same file came under this id before; `other`: another file did. */
export type Received = 'queued' | 'replayed' | 'other' | 'too-large'

export interface ProductImports {
  /** Keeps a file for the importer, unless it is larger than 64 MiB. Throws Unavailable. */
  receive(upload: Upload): Promise<Received>
  /** Asks the importer to stop; nothing happens to an import that has ended. */
  cancel(importId: string): Promise<void>
  /** Asks the importer to undo an import that has ended; nothing happens to any other. */
  undo(importId: string, requestedBy: string): Promise<void>
}

const bytesMax = 64 * 1024 * 1024
const chunkBytes = 512 * 1024

/** Imports in PostgreSQL; `changed` is called when the importer has work. */
export function createProductImports(
  pool: Pool,
  seals: ImportSeals,
  changed: () => void,
): ProductImports {
  return {
    async receive(upload) {
      const received = await receive({ pool, seals }, upload)
      if (received === 'queued') changed()
      return received
    },
    async cancel(importId) {
      await pool.query(
        `update shop.product_imports set status = 'cancelling'
           where import_id = $1 and status in ('queued', 'running')`,
        [importId],
      )
      changed()
    },
    async undo(importId, requestedBy) {
      await pool.query(
        `update shop.product_imports set status = 'undoing', undo_requested_by = $2,
             undo_seal = $3
           where import_id = $1 and status in ('finished', 'cancelled') and not dry_run`,
        [importId, requestedBy, seals.ofUndo(importId, requestedBy)],
      )
      changed()
    },
  }
}

interface Place {
  pool: Pool
  seals: ImportSeals
}

async function receive({ pool, seals }: Place, upload: Upload): Promise<Received> {
  const uploadId = randomUUID()
  try {
    const file = await storeChunks({ pool, seals }, uploadId, upload.content)
    if (file === undefined) return await dropped(pool, uploadId, 'too-large')
    const { importId, correlationId, requestedBy, format, dryRun } = upload
    const { digest, bytes } = file
    const seal = seals.ofImport({ ...upload, uploadId, bytes })
    const { rowCount } = await pool.query(
      `insert into shop.product_imports (import_id, upload_id, correlation_id, requested_by, format,
         dry_run, digest, bytes, seal, status)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'queued')
       on conflict (import_id) do nothing`,
      [importId, uploadId, correlationId, requestedBy, format, dryRun, digest, bytes, seal],
    )
    if (rowCount === 1) return 'queued'
    const { rows } = await pool.query(
      `select from shop.product_imports
       where import_id = $1 and digest = $2 and format = $3 and dry_run = $4`,
      [importId, digest, format, dryRun],
    )
    return await dropped(pool, uploadId, rows.length === 1 ? 'replayed' : 'other')
  } catch (error) {
    await drop(pool, uploadId).catch(() => undefined)
    throw error
  }
}

/** Stores the file in chunks; undefined when it is too large. */
async function storeChunks(
  { pool, seals }: Place,
  uploadId: string,
  content: AsyncIterable<Buffer>,
) {
  const hash = createHash('sha256')
  let [bytes, sequence, bufferedBytes] = [0, 0, 0]
  let buffered: Buffer[] = []
  const flush = async () => {
    const piece = Buffer.concat(buffered)
    await pool.query(
      `insert into shop.product_import_chunks (upload_id, sequence, content, seal)
       values ($1, $2, $3, $4)`,
      [uploadId, sequence, piece, seals.ofPiece(uploadId, sequence, piece)],
    )
    sequence += 1
    buffered = []
    bufferedBytes = 0
  }
  for await (const piece of content) {
    bytes += piece.length
    if (bytes > bytesMax) return undefined
    hash.update(piece)
    buffered.push(piece)
    bufferedBytes += piece.length
    if (bufferedBytes >= chunkBytes) await flush()
  }
  if (bufferedBytes > 0) await flush()
  return { bytes, digest: hash.digest('hex') }
}

async function dropped(pool: Pool, uploadId: string, received: Received): Promise<Received> {
  await drop(pool, uploadId)
  return received
}

async function drop(pool: Pool, uploadId: string): Promise<void> {
  await pool.query('delete from shop.product_import_chunks where upload_id = $1', [uploadId])
}
