// Who imports, for every command of an import: the shop itself, at the ledger's own time.
import { systemEnvelope } from '../../../commands/core/envelope.ts'
import type { Envelope } from '../../../ports/envelope.ts'

/** Marks every event of an import, so that reactions skip history. */
export const importSource = 'import'

/** The envelope of a command; the ids follow from the ledger, so that a second run repeats them. */
export function importEnvelope(on: {
  commandId: string
  correlationId: string
  at: Date
}): Envelope {
  const { commandId, correlationId, at } = on
  const envelope = systemEnvelope('import-retail', at, commandId)
  return { ...envelope, correlationId, source: importSource }
}
