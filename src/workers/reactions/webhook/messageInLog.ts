// What is sent is what the log says: the rows of deliveries only say which events are due.

import { isTransient } from '../../../kit/transient.ts'
import { readStream } from '../../../ports/eventStore.ts'
import type { WebhookMessage } from '../../../ports/webhooks.ts'
import type { Claimed } from './deliveries.ts'
import { isSent, messageOf } from './messages.ts'
import type { ReplayParts } from './replay.ts'

/** The message of the event that a delivery names; undefined where the log has no such event. */
export async function messageInLog(
  { eventStore, codec }: Pick<ReplayParts, 'eventStore' | 'codec'>,
  { event_id: id, message: { type, data } }: Pick<Claimed, 'event_id' | 'message'>,
): Promise<WebhookMessage | undefined> {
  const revision = data.aggregateRevision
  const stream = streamOf(type, data)
  if (stream === undefined || typeof revision !== 'number') return undefined
  for await (const recorded of readStream(eventStore, stream, { from: revision, to: revision })) {
    if (recorded.id !== id) return undefined
    try {
      const event = await codec.decode(recorded)
      return isSent(event) ? messageOf(event) : undefined
    } catch (error) {
      if (isTransient(error)) throw error
      return undefined
    }
  }
  return undefined
}

function streamOf(type: string, { orderId, productId }: WebhookMessage['data']) {
  const kind = type.split('.')[0] ?? ''
  const id = kind === 'order' ? orderId : productId
  return typeof id === 'string' && id !== '' ? `${kind}-${id}` : undefined
}
