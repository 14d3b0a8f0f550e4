// The proof of a test shop as a process sees it that has just started.

import { createCheckpointSigner } from '../../src/infra/audit/auditKeys.ts'
import { createCheckpointBook } from '../../src/infra/audit/checkpointBook.ts'
import { createStateGuard } from '../../src/infra/audit/stateGuard.ts'
import { createSecrets } from '../../src/infra/crypto/secrets.ts'
import type { AuditServices } from '../../src/ports/audit.ts'
import type { TestApp } from './testApp.ts'

/** Its services, with nothing in their memory. */
export function reopenedProof({ back, config }: TestApp): AuditServices {
  const secrets = createSecrets(config.secretKey)
  return {
    ...back.audit,
    book: createCheckpointBook(back.pool),
    signer: createCheckpointSigner(back.pool, secrets),
    guard: createStateGuard(back.pool, secrets, {
      holdsLog: true,
      currency: config.currency,
      graceMs: 0,
    }),
  }
}
