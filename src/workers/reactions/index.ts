// Every reaction of the shop, in one visible list: what follows the log and is never replayed.
import type { Reaction } from '../../projections/core/projection.ts'
import { accountUpkeep } from '../jobs/accountUpkeep.ts'
import { imageOutbox } from './image/outbox.ts'
import { mailOutbox } from './mail/outbox.ts'
import { webhookOutbox } from './webhook/outbox.ts'

export const reactions: readonly Reaction[] = [
  mailOutbox,
  imageOutbox,
  accountUpkeep,
  webhookOutbox,
]
