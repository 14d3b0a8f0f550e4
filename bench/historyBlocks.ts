// Repeats a block of events under other names, and writes it to the log as fast as that goes.
import { orderNumberOf } from '../src/domain/order/orderNumbers.ts'
import type { Pool } from '../src/infra/postgres/database.ts'
import type { RecordedEvent } from '../src/ports/eventStore.ts'

interface Blocks {
  block: readonly RecordedEvent[]
  /** Ids that stay what they are: of persons, whose keys open what is sealed. */
  keep: ReadonlySet<string>
  events: number
}

interface Row {
  stream: string
  revision: number
  id: string
  type: string
  data: string
  metadata: string
}

const rowsAtOnce = 5_000
const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
/** Streams that a repetition would begin anew under the same name. */
const onceOnly = /^(customer|sku|orderNumbers)-/
const orderNumber = /("orderNumber":")([\d-]+)"/
/** More than a block has orders. */
const numbersABlock = 100_000

const insert = `
  insert into eventstore.events
    (position, stream, revision, event_id, type, data, metadata, recorded_at)
  select position, stream, revision, id, type, data::json, metadata::json, now()
  from unnest($1::bigint[], $2::text[], $3::bigint[], $4::uuid[], $5::text[],
    $6::text[], $7::text[])
    as e(position, stream, revision, id, type, data, metadata)`

/** Writes the block, and then repetitions of it, until the log has so many events. */
export async function writeBlocks(pool: Pool, { block, keep, events }: Blocks): Promise<void> {
  const lengths = new Map<string, number>()
  for (const { stream } of block) lengths.set(stream, (lengths.get(stream) ?? 0) + 1)
  const rows = block.map(asRow)
  let position = 0
  let writing = Promise.resolve()
  for (let repeat = 0; position < events; repeat += 1) {
    const named = repeat === 0 ? rows : rows.flatMap(row => renamed(row, { repeat, keep, lengths }))
    const wanted = named.slice(0, events - position)
    for (let from = 0; from < wanted.length; from += rowsAtOnce) {
      await writing
      writing = write(pool, position + from, wanted.slice(from, from + rowsAtOnce))
      // Awaited in its turn, while the next rows are made.
      writing.catch(() => undefined)
    }
    position += wanted.length
  }
  await writing
  await pool.query('vacuum analyze eventstore.events')
}

function asRow({ stream, revision, id, type, data, metadata }: RecordedEvent): Row {
  const texts = { data: JSON.stringify(data), metadata: JSON.stringify(metadata) }
  return { stream, revision, id, type, ...texts }
}

interface Renaming {
  repeat: number
  keep: ReadonlySet<string>
  lengths: ReadonlyMap<string, number>
}

/** The same event of another order, product or cart; of a cart that is open already, its next. */
function renamed(row: Row, { repeat, keep, lengths }: Renaming): Row[] {
  if (onceOnly.test(row.stream) || row.type === 'CartOpened') return []
  const rename = (text: string) =>
    text
      .replace(uuid, id => (keep.has(id) ? id : later(id, repeat)))
      .replace(orderNumber, (_, before, number) => `${before}${laterNumber(number, repeat)}"`)
  const stream = rename(row.stream)
  const goesOn = stream === row.stream ? repeat * ((lengths.get(stream) ?? 1) - 1) : 0
  return [
    {
      stream,
      revision: row.revision + goesOn,
      id: later(row.id, repeat),
      type: row.type,
      data: rename(row.data),
      metadata: rename(row.metadata),
    },
  ]
}

/** The id as it would have been drawn some days later: order stays as it was. */
function later(id: string, repeat: number): string {
  const time = (Number.parseInt(id.slice(0, 8), 16) + repeat * 0x2000) % 0x1_0000_0000
  return `${time.toString(16).padStart(8, '0')}${id.slice(8)}`
}

/** A number of the repetition, with the check digit of its own. */
function laterNumber(number: string, repeat: number): string {
  const serial = Number(number.replace('-', '').slice(0, -1))
  return orderNumberOf(serial + repeat * numbersABlock)
}

async function write(pool: Pool, after: number, rows: readonly Row[]): Promise<void> {
  await pool.query({
    name: 'bench_history',
    text: insert,
    values: [
      rows.map((_, index) => after + index + 1),
      rows.map(({ stream }) => stream),
      rows.map(({ revision }) => revision),
      rows.map(({ id }) => id),
      rows.map(({ type }) => type),
      rows.map(({ data }) => data),
      rows.map(({ metadata }) => metadata),
    ],
  })
}
