// Every reaction of the shop, in one visible list: what follows the log and is never replayed.
import type { Reaction } from '../projections/projection.ts'
import { accountUpkeep } from './accountUpkeep.ts'
import { imageOutbox } from './images/outbox.ts'
import { mailOutbox } from './mails/outbox.ts'
import { webhookOutbox } from './webhooks/outbox.ts'

export const reactions: readonly Reaction[] = [
  mailOutbox,
  imageOutbox,
  accountUpkeep,
  webhookOutbox,
]
