// Another application on the event store of a shop: it writes, keeps a part, deletes, tidies up.
import { randomUUID } from 'node:crypto'
import { ANY, jsonEvent } from '@eventstore/db-client'
import { connect } from '../../src/eventstore/eventstoredb/connect.ts'

/** A type of event that no shop has. */
export const foreignType = 'TicketPrinted'

/** Does one round of its work; `scavenge` is how the server is told to tidy up, where it can be. */
export async function bustle(url: string, scavenge?: () => Promise<void>): Promise<void> {
  const client = connect(url)
  try {
    const names = Array.from({ length: 4 }, () => `tickets-${randomUUID()}`)
    const [kept = '', short = '', deleted = '', gone = ''] = names
    await client.setStreamMetadata(short, { maxCount: 2 })
    for (const name of [kept, short, deleted, gone]) {
      const events = Array.from({ length: 6 }, (_, seat) =>
        jsonEvent({ type: foreignType, data: { seat } }),
      )
      await client.appendToStream(name, events, { expectedRevision: ANY })
    }
    await client.deleteStream(deleted)
    await client.tombstoneStream(gone)
    await scavenge?.()
  } finally {
    await client.dispose()
  }
}
