// The seal of a backup: who does not know SECRET_KEY cannot make one, nor change one.
import type { ManifestSeal } from '../../ports/backup.ts'
import { isRowSeal, rowSeal } from '../crypto/rowSeals.ts'
import type { Secrets } from '../crypto/secrets.ts'

/** The seal of backups under the shop's secret. */
export function createManifestSeal(secrets: Secrets): ManifestSeal {
  return {
    seal: text => rowSeal(secrets, 'backups', [text]),
    isSeal: (text, seal) => isRowSeal(secrets, 'backups', { fields: [text], seal }),
  }
}
