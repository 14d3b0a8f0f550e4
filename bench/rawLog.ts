// Events as plain rows: what the log costs when nobody decides, checks or orders anything.
import { randomUUID } from 'node:crypto'
import type { Pool } from '../src/infra/postgres/database.ts'
import type { NewEvent } from '../src/ports/eventStore.ts'

/** An event of about 300 bytes, as putting something into a cart makes it. */
export function sampleEvent(): NewEvent {
  return {
    id: randomUUID(),
    type: 'ItemAddedToCart',
    data: {
      cartId: randomUUID(),
      productId: randomUUID(),
      quantity: 2,
      unitPrice: { amount: 1_299, currency: 'GBP' },
    },
    metadata: {
      version: 1,
      commandId: randomUUID(),
      correlationId: randomUUID(),
      actor: { role: 'customer', id: randomUUID() },
      at: '2026-01-01T00:00:00.000Z',
    },
  }
}

export interface RawRow {
  position: number
  stream: string
  event: NewEvent
}

const columns = ['position', 'stream', 'revision', 'event_id', 'type', 'data', 'metadata']

/** Writes the first event of so many streams with one statement, in a transaction of its own. */
export async function insertRows(pool: Pool, into: string, rows: readonly RawRow[]): Promise<void> {
  const places = rows.map((_, row) => {
    const first = row * columns.length
    return `(${columns.map((_column, column) => `$${first + column + 1}`).join(', ')}, now())`
  })
  await pool.query({
    name: `insert_${rows.length}_${into}`,
    text: `insert into ${into} (${columns.join(', ')}, recorded_at) values ${places.join(', ')}`,
    values: rows.flatMap(({ position, stream, event }) => [
      position,
      stream,
      0,
      event.id,
      event.type,
      JSON.stringify(event.data),
      JSON.stringify(event.metadata),
    ]),
  })
}
