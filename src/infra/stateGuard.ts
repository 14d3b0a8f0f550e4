// Looks at what the hash chain does not cover and commands rest on all the same: rows outside of
// the log, snapshots, credentials, keys, and what makes the database keep the log.
import type { StateFinding, StateGuard } from '../commands/auditPorts.ts'
import { catalogFindings } from './catalogGuard.ts'
import type { Pool, Session } from './database.ts'
import { isRowSeal, openHash } from './rowSeals.ts'
import type { Purpose, Secrets } from './secrets.ts'
import { sealedFields } from './snapshots.ts'
import { openEndpoint } from './webhooks.ts'

export interface GuardOptions {
  /** Whether the log is in this database, too. */
  holdsLog: boolean
}

const batchSize = 2_000

/** The guard of a database. What it gives is read in one transaction that sees one moment. */
export function createStateGuard(pool: Pool, secrets: Secrets, options: GuardOptions): StateGuard {
  return {
    async *findings() {
      const session = await pool.connect()
      let broken: Error | undefined
      try {
        // What takes long here holds nobody up: it only reads.
        await session.query('begin isolation level repeatable read read only')
        await session.query(`set local statement_timeout = '10min'`)
        if (options.holdsLog) yield* logFindings(session)
        yield* catalogFindings(session)
        yield* rowFindings(session, secrets)
      } finally {
        await session.query('rollback').catch((error: Error) => {
          broken = error
        })
        session.release(broken)
      }
    },
    async countBehind(position) {
      if (!options.holdsLog) return undefined
      const { rows } = await pool.query<{ events: bigint }>({
        text: 'select count(*) as events from eventstore.events where position > $1',
        values: [position],
      })
      return Number(rows[0]?.events ?? 0)
    },
  }
}

interface Found {
  [column: string]: unknown
  key: string
}

/** What no reader of the whole log comes to see, and readers of streams do. */
async function* logFindings(session: Session): AsyncGenerator<StateFinding> {
  const outside = await session.query<Found>(`
    select 'position ' || position || ', ' || stream || ' ' || revision as key
    from (
      select position, stream, revision from eventstore.events where position <= 0
      union all
      select position, stream, revision
      from eventstore.events where revision < 0 and position > 0
    ) as found
    order by position desc
    limit 1000`)
  for (const { key } of outside.rows) {
    const detail = 'An event stands where the chain does not look; commands would obey it.'
    yield { check: 'every event is in the chain', key, detail }
  }
  const broken = await session.query<Found>(`
    select stream as key
    from eventstore.events
    group by stream
    having count(*) <> max(revision) + 1 or min(revision) <> 0
    order by stream
    limit 1000`)
  for (const { key } of broken.rows) {
    const detail = 'Its revisions do not count from 0 without a gap or a repetition.'
    yield { check: 'every stream is whole', key, detail }
  }
  const { rows } = await session.query<{ gaps: bigint }>(`
    select coalesce(max(position), 0) - count(*) filter (where position > 0) as gaps
    from eventstore.events`)
  const gaps = rows[0]?.gaps ?? 0n
  if (gaps !== 0n) {
    const detail = `${gaps} positions up to the newest one have no event, or more than one.`
    yield { check: 'positions have no gap', key: 'eventstore.events', detail }
  }
}

/** Reads a table by its key, a batch at a time, and gives what is wrong with its rows. */
async function* eachRow<Row extends Found>(
  session: Session,
  { text, first }: { text: string; first: string },
  look: (row: Row) => StateFinding | undefined,
): AsyncGenerator<StateFinding> {
  let last = first
  for (;;) {
    const { rows } = await session.query<Row>({ text, values: [last, batchSize] })
    for (const row of rows) {
      const finding = look(row)
      if (finding !== undefined) yield finding
    }
    const end = rows.at(-1)
    if (end === undefined || rows.length < batchSize) return
    last = end.key
  }
}

const noId = '00000000-0000-0000-0000-000000000000'

async function* rowFindings(session: Session, secrets: Secrets): AsyncGenerator<StateFinding> {
  const snapshots = {
    text: `select stream as key, revision, event_id, version, written::text as written, seal
      from shop.snapshots where stream > $1 order by stream limit $2`,
    first: '',
  }
  yield* eachRow<SnapshotRow>(session, snapshots, row => {
    const { key, revision, event_id: eventId, version, written, seal } = row
    const fields = sealedFields(key, { revision: Number(revision), eventId, version, written })
    if (isRowSeal(secrets, 'snapshots', { fields, seal })) return undefined
    const detail = 'The shop has not written this snapshot; it is not used.'
    return { check: 'snapshots are sealed', key, detail }
  })
  const accounts = {
    text: `select customer_id::text as key, password_hash
      from shop.accounts where customer_id > $1::uuid order by customer_id limit $2`,
    first: noId,
  }
  yield* eachRow<Found & { password_hash: string }>(session, accounts, row => {
    if (openHash(secrets, row.key, row.password_hash) !== undefined) return undefined
    const detail = 'The shop has not given this account this password; it opens nothing.'
    return { check: 'password hashes belong to their accounts', key: row.key, detail }
  })
  yield* keyFindings(session, secrets)
  yield* endpointFindings(session, secrets)
}

interface SnapshotRow extends Found {
  revision: bigint
  event_id: string
  version: number
  written: string
  seal: string
}

interface SealedRow extends Found {
  sealed: string | null
}

interface SealedTable {
  table: string
  purpose: Purpose
  text: string
  first: string
}

const sealedTables: readonly SealedTable[] = [
  {
    table: 'shop.person_keys',
    purpose: 'person-keys',
    text: `select subject::text as key, sealed_key as sealed
      from shop.person_keys where subject > $1::uuid order by subject limit $2`,
    first: noId,
  },
  {
    table: 'shop.signing_keys',
    purpose: 'signing-keys',
    text: `select kid as key, sealed_private_key as sealed
      from shop.signing_keys where kid > $1 order by kid limit $2`,
    first: '',
  },
  {
    table: 'shop.audit_keys',
    purpose: 'audit-keys',
    text: `select kid as key, sealed_private_key as sealed
      from shop.audit_keys where kid > $1 order by kid limit $2`,
    first: '',
  },
]

async function* keyFindings(session: Session, secrets: Secrets): AsyncGenerator<StateFinding> {
  for (const { table, purpose, text, first } of sealedTables) {
    yield* eachRow<SealedRow>(session, { text, first }, ({ key, sealed }) => {
      // An erased person has no key any more.
      if (sealed === null || opens(secrets, purpose, { sealed, key })) return undefined
      const detail = 'It cannot be opened: the shop has not written it into this row.'
      return { check: `what ${table} holds is the shop's`, key, detail }
    })
  }
}

interface EndpointRow extends Found {
  sealed: string
  url: string
  events: string[]
}

/** Endpoints, whose addresses are sealed beside their secrets. */
async function* endpointFindings(session: Session, secrets: Secrets) {
  const endpoints = {
    text: `select endpoint_id::text as key, secret as sealed, url, events
      from shop.webhook_endpoints where endpoint_id > $1::uuid order by endpoint_id limit $2`,
    first: noId,
  }
  const check = 'webhook endpoints are as the shop has sealed them'
  yield* eachRow<EndpointRow>(session, endpoints, ({ key, sealed, ...row }) => {
    if (!opens(secrets, 'webhooks', { sealed, key })) {
      return { check, key, detail: 'Its secret is not of this row: nothing is sent to it.' }
    }
    const { url = row.url, events = row.events } = openEndpoint(secrets, key, sealed)
    const isSame = url === row.url && JSON.stringify(events) === JSON.stringify(row.events)
    if (isSame) return undefined
    return { check, key, detail: 'Its address or its events were changed; those sealed are used.' }
  })
}

function opens(
  secrets: Secrets,
  purpose: Purpose,
  { sealed, key }: { sealed: string; key: string },
): boolean {
  try {
    secrets.open(purpose, sealed, key)
    return true
  } catch {
    return false
  }
}
