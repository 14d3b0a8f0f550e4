// Seals on imports: whoever can write to the database but does not know SECRET_KEY cannot have one
// carried out, change the file of one that waits, or have one undone.
import { hash } from 'node:crypto'
import type { ImportSeals } from '../../ports/imports.ts'
import { rowSeal } from './rowSeals.ts'
import type { Secrets } from './secrets.ts'

/** The seals of imports of a shop. */
export function createImportSeals(secrets: Secrets): ImportSeals {
  const seal = (...fields: readonly string[]) => rowSeal(secrets, 'imports', fields)
  return {
    ofImport(accepted) {
      const { importId, uploadId, correlationId, requestedBy, format, dryRun, bytes } = accepted
      const ids = [importId, uploadId, correlationId, requestedBy]
      return seal('import', ...ids, format, String(dryRun), String(bytes))
    },
    ofPiece: (uploadId, sequence, content) =>
      seal('piece', uploadId, String(sequence), hash('sha256', content)),
    ofUndo: (importId, requestedBy) => seal('undo', importId, requestedBy),
  }
}
