// The least work that a command over HTTP needs: what a bare route has to check, ask and append.
import { randomUUID } from 'node:crypto'
import type { BenchApp } from './app.ts'
import type { BenchDatabase } from './database.ts'
import type { Call } from './loadPlan.ts'

/** An event as one real command has written it; ids in its texts are replaced for each request. */
export interface EventTemplate {
  stream: string
  type: string
  data: string
  metadata: string
}

/** What one real command has asked for and written. */
export interface LeastWork {
  command: 'AddToCart' | 'PlaceOrder'
  /** Streams whose heads decide whether it may be done. */
  streams: string[]
  /** Its events by transaction: each waits for the one before. */
  transactions: EventTemplate[][]
  ids: TemplateIds
  /** The products that requests are about, in turns. */
  catalogue: string[]
}

export interface TemplateIds {
  customer: string
  order: string
  products: string[]
}

export interface RecordedCommand extends Pick<LeastWork, 'command' | 'catalogue'> {
  call: Call
  customer: string
  /** Of the catalogue, those that the call is about. */
  products: string[]
}

/** The path of the bare route of a command. */
export const barePath = ({ command }: Pick<LeastWork, 'command'>) => `/bare/${command}`

interface EventRow extends EventTemplate {
  transaction: string
}

const eventsAfter = `
  select xmin::text as transaction, stream, type, data::text, metadata::text
  from eventstore.events
  where position > $1 and stream not like 'orderNumbers-%'
  order by position`

/** Sends a command to the shop and records what it writes. Nothing else may write meanwhile. */
export async function recordLeastWork(
  { pool }: BenchDatabase,
  { url, back }: BenchApp,
  { command, call, customer, products, catalogue }: RecordedCommand,
): Promise<LeastWork> {
  const before = await back.eventStore.head()
  const answer = await fetch(`${url}${call.path}`, {
    method: call.method,
    headers: {
      authorization: `Bearer ${call.token}`,
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    },
    body: JSON.stringify(call.body),
  })
  const body: unknown = await answer.json()
  if (answer.status !== 201) throw new Error(`${command}: ${JSON.stringify(body)}`)
  const { rows } = await pool.query<EventRow>(eventsAfter, [before])
  const transactions = Map.groupBy(rows, ({ transaction }) => transaction)
  const order = rows.find(({ stream }) => stream.startsWith('order-'))?.stream.slice(6) ?? ''
  return {
    command,
    streams: [
      ...(command === 'PlaceOrder' ? [`customer-${customer}`] : []),
      `cart-${customer}`,
      ...products.flatMap(id => [`product-${id}`, `stock-${id}`]),
    ],
    transactions: [...transactions.values()].map(events =>
      events.map(({ transaction: _, ...event }) => event),
    ),
    ids: { customer, order, products },
    catalogue,
  }
}
