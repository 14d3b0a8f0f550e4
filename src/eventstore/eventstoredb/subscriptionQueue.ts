// One subscription on the EventStoreDB server as a queue of events and notices in the order sent.
import type { Position } from '../../kit/position.ts'
import type { EventFilter } from '../../ports/eventStore.ts'
import { toPosition } from '../core/positionNumbers.ts'
import type { Connection } from './client.ts'
import { type ClientEvent, clientEvent } from './events.ts'
import type { Sent } from './messages.ts'
import { type Inbox, openInbox } from './readAhead.ts'
import { subscriptionRequest } from './requests.ts'

/** What the server says: an event, that it has looked at all up to here, or that it is live. */
export type Step = ClientEvent | { checkpoint: Position } | { live: boolean }

export type Feed = Inbox<Step>

/** Events looked at between two checkpoints of a filtered subscription. */
const maxSearchWindow = 256

/** Opens a subscription behind `position`. */
export function openFeed(
  { client, own }: Pick<Connection, 'client' | 'own'>,
  { position, filtered }: { position: Position; filtered: boolean },
  filter: EventFilter | undefined,
): Feed {
  const wanted = filtered ? own.serverFilter(filter, { maxSearchWindow }) : undefined
  return openInbox(client, subscriptionRequest(position, wanted), stepOf)
}

function stepOf(sent: Sent): Step {
  if ('event' in sent) return clientEvent(sent.event)
  return 'live' in sent ? sent : { checkpoint: toPosition(sent.checkpoint) }
}
