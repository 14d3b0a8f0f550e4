// Starts the mail workers: one for mails about orders, one for mails about accounts.

import type { ConnectionOptions } from 'bullmq'
import type { Kysely } from 'kysely'
import type { Health } from '../../../ports/health.ts'
import type { Log } from '../../../ports/log.ts'
import type { Mailer } from '../../../ports/mail.ts'
import type { Metrics } from '../../../ports/metrics.ts'
import type { Tracing } from '../../../ports/tracing.ts'
import type { Tables } from '../../../projections/core/tables.ts'
import { type AccountDraftParts, accountDrafts } from './accountDrafts.ts'
import type { MailLimits } from './limits.ts'
import { startMailWorker } from './mailWorker.ts'
import { orderDrafts } from './orderDrafts.ts'
import { createOutage } from './outage.ts'
import { createMailQueue } from './queue.ts'

export interface MailParts extends AccountDraftParts {
  timeZone: string
  /** The URL at which customers reach the shop. */
  publicUrl: string
  /** Receives whether the mail server is available. */
  health?: Health
  db: Kysely<Tables>
  mailer: Mailer
  connection: ConnectionOptions
  limits: MailLimits | undefined
  metrics: Metrics
  tracing: Tracing
  log: Log
}

/** Starts both workers; `notify` signals that mails are queued. */
export function startMails(parts: MailParts) {
  const outage = createOutage(parts.log, parts.health)
  const shared = { ...parts, outage }
  const workers = [
    { account: true, draftFor: accountDrafts(parts) },
    { account: false, draftFor: orderDrafts(parts) },
  ].map(worker => startMailWorker({ ...shared, ...worker, queue: createMailQueue(parts.db) }))
  return {
    notify() {
      for (const worker of workers) worker.notify()
    },
    async close() {
      await Promise.all(workers.map(worker => worker.close()))
      outage.stop()
    },
  }
}
