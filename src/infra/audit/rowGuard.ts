// Looks at rows beside the log that commands rest on: each has a seal, or opens with the secret of
// the shop for its own place and no other.
import type { StateFinding } from '../../ports/audit.ts'
import { isRowSeal, openPassword } from '../crypto/rowSeals.ts'
import type { Purpose, Secrets } from '../crypto/secrets.ts'
import { sealedFields } from '../log/snapshots.ts'
import type { Session } from '../postgres/database.ts'
import { openEndpoint } from '../webhooks/webhooks.ts'

type Findings = AsyncGenerator<StateFinding>

/** What the shop has been started with. */
export interface Started {
  holdsLog: boolean
  currency: string | undefined
}

const batchSize = 2_000

/** What there is to look at, by name, and the findings of each. */
export function rowFindings(
  session: Session,
  secrets: Secrets,
  started: Started,
): [what: string, findings: () => Findings][] {
  return [
    ['the identity of the shop', () => identityFindings(session, secrets, started)],
    ['snapshots', () => snapshotFindings(session, secrets)],
    ['accounts', () => accountFindings(session, secrets)],
    ['keys', () => keyFindings(session, secrets)],
    ['webhook endpoints', () => endpointFindings(session, secrets)],
  ]
}

interface Found {
  [column: string]: unknown
  key: string
}

/** Reads a table by its key, a batch at a time, and gives what is wrong with its rows. */
async function* eachRow<Row extends Found>(
  session: Session,
  { text, first }: { text: string; first: string },
  check: (row: Row) => StateFinding | undefined,
): Findings {
  let last = first
  for (;;) {
    const { rows } = await session.query<Row>({ text, values: [last, batchSize] })
    for (const row of rows) {
      const finding = check(row)
      if (finding !== undefined) yield finding
    }
    const end = rows.at(-1)
    if (end === undefined || rows.length < batchSize) return
    last = end.key
  }
}

const noId = '00000000-0000-0000-0000-000000000000'

async function* snapshotFindings(session: Session, secrets: Secrets): Findings {
  const snapshots = {
    text: `select stream as key, revision, event_id, version, written::text as written,
        coalesce(seal, '') as seal
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
}

async function* accountFindings(session: Session, secrets: Secrets): Findings {
  const accounts = {
    text: `select customer_id::text as key, coalesce(password_hash, '') as password_hash
      from shop.accounts where customer_id > $1::uuid order by customer_id limit $2`,
    first: noId,
  }
  yield* eachRow<Found & { password_hash: string }>(session, accounts, row => {
    if (openPassword(secrets, row.key, row.password_hash) !== undefined) return undefined
    const detail = 'The shop has not given this account this password; it opens nothing.'
    return { check: 'password hashes belong to their accounts', key: row.key, detail }
  })
}

interface IdentityRow extends Found {
  currency: string
  event_store: string
  sealed: string
}

/** What each start compares the settings with: with other ones it would be another shop. */
async function* identityFindings(
  session: Session,
  secrets: Secrets,
  { holdsLog, currency }: Started,
): Findings {
  const { rows } = await session.query<IdentityRow>(`
    select coalesce(shop_id::text, '') as key, currency, event_store,
      coalesce(sealed_sentinel, '') as sealed
    from shop.identity
    limit 10`)
  const check = 'the shop is the one that was begun here'
  if (rows.length !== 1) {
    yield { check, key: 'shop.identity', detail: `It has ${rows.length} rows instead of one.` }
  }
  for (const { key, sealed, ...row } of rows) {
    const faults = [
      opens(secrets, 'sentinel', { sealed, key }) ? [] : 'Its id is not the one that was sealed.',
      row.currency === (currency ?? row.currency) ? [] : 'Its currency is another one.',
      (row.event_store === 'postgres') === holdsLog ? [] : 'It names another store of events.',
    ].flat()
    for (const detail of faults) yield { check, key: `shop ${key}`, detail }
  }
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
    text: `select kid as key, coalesce(sealed_private_key, '') as sealed
      from shop.signing_keys where kid > $1 order by kid limit $2`,
    first: '',
  },
  {
    table: 'shop.audit_keys',
    purpose: 'audit-keys',
    text: `select kid as key, coalesce(sealed_private_key, '') as sealed
      from shop.audit_keys where kid > $1 order by kid limit $2`,
    first: '',
  },
  {
    table: 'shop.email_changes',
    purpose: 'pending-emails',
    text: `select customer_id::text as key, coalesce(sealed_email, '') as sealed
      from shop.email_changes where customer_id > $1::uuid order by customer_id limit $2`,
    first: noId,
  },
]

async function* keyFindings(session: Session, secrets: Secrets): Findings {
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

/** Endpoints, whose addresses are sealed together with their secrets. */
async function* endpointFindings(session: Session, secrets: Secrets) {
  const endpoints = {
    text: `select endpoint_id::text as key, coalesce(secret, '') as sealed, url, events
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
