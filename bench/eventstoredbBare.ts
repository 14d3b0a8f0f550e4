// Row 19d. Path: the appends of a checkout alone, each round waiting for the one before, 16 at a
// time. It is the limit of row 19b: what is left of the ratio to PostgreSQL without a shop.
import { randomUUID } from 'node:crypto'
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import { eventStoreDb } from '../src/eventstore/eventstoredb/eventstoredb.ts'
import { postgresEventStore } from '../src/eventstore/postgres/postgres.ts'
import type { ExpectedRevision } from '../src/ports/eventStore.ts'
import type { Logs } from './eventstoredbApp.ts'
import { interleave, judge, type Report, rate, roundsFor } from './harness.ts'
import { sampleEvent } from './rawLog.ts'

const checkouts = 16
const bare = 'appends of a checkout alone'
const names = {
  postgres: `${bare}, on PostgreSQL`,
  client: `${bare}, the client’s batch append`,
  store: bare,
}

type Append = (stream: string, expected: ExpectedRevision, count: number) => Promise<unknown>

/** Measures them through the client and through our adapters, in turns. */
export async function bareCheckouts({ postgres, url, prefix }: Logs, quick: boolean) {
  const onPostgres = postgresEventStore(postgres.pool)
  const store = eventStoreDb({ url, prefix })
  const client = EventStoreDBClient.connectionString(url)
  const total = quick ? 640 : 2_560
  const candidate = (name: string, append: Append) => ({
    name,
    unit: 'orders/s',
    run: () => rate({ total, inFlight: checkouts }, () => checkOut(append)),
  })
  try {
    const measured = await interleave(
      [
        candidate(names.postgres, (stream, expected, count) =>
          onPostgres.append(stream, expected, events(count)),
        ),
        candidate(names.client, (stream, expected, count) =>
          client.appendToStream(`${prefix}${stream}`, events(count).map(jsonEvent), {
            expectedRevision: expected === 'no-stream' ? 'no_stream' : BigInt(Number(expected)),
          }),
        ),
        candidate(names.store, (stream, expected, count) =>
          store.append(stream, expected, events(count)),
        ),
      ],
      roundsFor(quick),
    )
    const row = { row: 19, path: bare, of: names.store }
    const report: Report = {
      name: 'eventstoredb, appends of a checkout',
      measured,
      verdicts: [
        judge(measured, { ...row, path: names.client, of: names.client, to: names.postgres }),
        judge(measured, { ...row, to: names.postgres }),
      ],
      notes: ['five appends to four streams in four rounds, as a checkout of two products has'],
    }
    return report
  } finally {
    await store.close()
    await onPostgres.close()
    await client.dispose()
  }
}

/** Submitted; two products reserved; out of the cart; concluded. */
async function checkOut(append: Append): Promise<void> {
  const order = `order-${randomUUID()}`
  await append(order, 'no-stream', 1)
  await Promise.all([1, 2].map(() => append(`stock-${randomUUID()}`, 'no-stream', 1)))
  await append(`cart-${randomUUID()}`, 'no-stream', 1)
  await append(order, 0, 2)
}

function events(count: number) {
  return Array.from({ length: count }, sampleEvent)
}
