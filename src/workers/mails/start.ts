// Starts the sending of mails: a lane for those about orders and one for those about accounts.

import type { ConnectionOptions } from 'bullmq'
import type { Kysely } from 'kysely'
import type { Health } from '../../health.ts'
import type { Metrics } from '../../metrics.ts'
import type { Tables } from '../../projections/tables.ts'
import type { Tracing } from '../../tracing.ts'
import type { Log } from '../log.ts'
import { type AccountDraftParts, accountDrafts } from './accountDrafts.ts'
import { startMailLane } from './lane.ts'
import type { MailLimits } from './limits.ts'
import type { Mailer } from './mail.ts'
import { orderDrafts } from './orderDrafts.ts'
import { createOutage } from './outage.ts'
import { createMailQueue } from './queue.ts'

export interface MailParts extends AccountDraftParts {
  timeZone: string
  /** Under which customers reach the shop. */
  publicUrl: string
  /** Told whether the mail server can be used. */
  health?: Health
  db: Kysely<Tables>
  mailer: Mailer
  connection: ConnectionOptions
  limits: MailLimits | undefined
  metrics: Metrics
  tracing: Tracing
  log: Log
}

/** Starts both lanes; `wake` is for whoever has queued a mail. */
export function startMails(parts: MailParts) {
  const outage = createOutage(parts.log, parts.health)
  const shared = { ...parts, outage }
  const lanes = [
    { account: true, draftFor: accountDrafts(parts) },
    { account: false, draftFor: orderDrafts(parts) },
  ].map(lane => startMailLane({ ...shared, ...lane, queue: createMailQueue(parts.db) }))
  return {
    wake() {
      for (const lane of lanes) lane.wake()
    },
    async close() {
      await Promise.all(lanes.map(lane => lane.close()))
      outage.stop()
    },
  }
}
