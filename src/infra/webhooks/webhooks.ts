// Webhook endpoints with their sealed secrets, in PostgreSQL.

import { randomBytes } from 'node:crypto'
import { type Position, startOfLog } from '../../kit/position.ts'
import type {
  DisabledBecause,
  EndpointChange,
  NewEndpoint,
  WebhookEndpoint,
  Webhooks,
  WebhookType,
  WithSecret,
} from '../../ports/webhooks.ts'
import type { Secrets } from '../crypto/secrets.ts'
import { type Pool, type Queryable, transaction } from '../postgres/database.ts'

interface Row {
  endpoint_id: string
  url: string
  description: string
  events: WebhookType[]
  secret: string
  previous_secret: string | null
  previous_until: Date | null
  secret_by: string
  starts_after: Position
  disabled_at: Date | null
  disabled_because: DisabledBecause | null
  failures: number
  replay_after: Position | null
  replay_to: Position | null
  revision: number
  created_at: Date
  updated_at: Date
}

const endpointsMax = 100
const secretBytes = 32
const newSecret = () => `whsec_${randomBytes(secretBytes).toString('base64')}`

/** The endpoints of a shop. */
export function createWebhooks(pool: Pool, secrets: Secrets): Webhooks {
  const desk = { pool, on: pool, secrets }
  return { ...endpointsIn(desk), ...secretsIn(desk), ...repeatsIn(desk) }
}

/** A place to ask, and what opens what is sealed there. */
interface Desk {
  on: Queryable
  secrets: Secrets
}

async function one({ on, secrets }: Desk, text: string, values: unknown[]) {
  const [row] = (await on.query<Row>({ text, values })).rows
  return row && asSealed(secrets, row)
}

/** The sealed content of an endpoint: address and secret together, so that neither can be moved. */
interface Inside {
  secret: string
  /** Not there in what earlier releases have sealed. */
  url?: string
  events?: WebhookType[]
}

function seal(secrets: Secrets, id: string, { secret, url, events }: Required<Inside>): string {
  return secrets.seal('webhooks', JSON.stringify({ secret, url, events }), id)
}

/** Throws when it was changed, or moved from another endpoint. */
export function openEndpoint(secrets: Secrets, id: string, sealed: string): Inside {
  const text = secrets.open('webhooks', sealed, id)
  if (!text.startsWith('{')) return { secret: text }
  const inside: Inside = JSON.parse(text)
  return inside
}

/** The sealed content of the row; changes of its other columns are ignored. */
function asSealed(secrets: Secrets, row: Row): Row {
  try {
    const { url = row.url, events = row.events } = openEndpoint(
      secrets,
      row.endpoint_id,
      row.secret,
    )
    return { ...row, url, events }
  } catch {
    // Nothing is sent to it: GET /audit/verify names it.
    return row
  }
}

/** One transaction that has the endpoint to itself; undefined when there is none. */
function locked<T>(
  { pool, secrets }: { pool: Pool; secrets: Secrets },
  id: string,
  work: (known: Row, desk: Desk) => Promise<T>,
) {
  return transaction(pool, async session => {
    const desk = { on: session, secrets }
    const known = await one(desk, findForUpdate, [id])
    return known === undefined ? undefined : work(known, desk)
  })
}

type PoolDesk = Desk & { pool: Pool }

function endpointsIn(desk: PoolDesk): Pick<Webhooks, 'list' | 'find' | 'change' | 'remove'> {
  const { pool, secrets } = desk
  return {
    async list() {
      const text = 'select * from shop.webhook_endpoints order by created_at, endpoint_id'
      return (await pool.query<Row>(text)).rows.map(row => endpointOf(asSealed(secrets, row)))
    },
    async find(id) {
      const row = await one(desk, findOne, [id])
      return row && endpointOf(row)
    },
    change: (id, change, revision) =>
      locked(desk, id, async (known, on) => {
        if (isStale(known, revision)) return 'stale'
        const row = await one(on, update, changed(secrets, known, change))
        return row && endpointOf(row)
      }),
    remove: (id, revision) =>
      locked(desk, id, async (known, on) => {
        if (isStale(known, revision)) return 'stale'
        await one(on, 'delete from shop.webhook_endpoints where endpoint_id = $1', [id])
        return 'removed'
      }),
  }
}

function secretsIn(desk: PoolDesk): Pick<Webhooks, 'create' | 'rotate' | 'targetOf'> {
  const { secrets } = desk
  const withSecret = (row: Row, replayed: boolean): WithSecret => ({
    endpoint: endpointOf(row),
    secret: openEndpoint(secrets, row.endpoint_id, row.secret).secret,
    replayed,
  })
  return {
    async create(endpoint) {
      const { id, url, events } = endpoint
      const sealed = seal(secrets, id, { secret: newSecret(), url, events: [...events] })
      const made = await one(desk, insert, valuesOf(endpoint, sealed))
      if (made !== undefined) return withSecret(made, false)
      const known = await one(desk, findOne, [id])
      if (known === undefined) return 'full'
      return isSame(known, endpoint) ? withSecret(known, true) : 'other'
    },
    rotate: (id, commandId) =>
      locked(desk, id, async (known, on) => {
        if (known.secret_by === commandId) return withSecret(known, true)
        const { url, events } = known
        const sealed = seal(secrets, id, { secret: newSecret(), url, events })
        const row = await one(on, rotate, [id, sealed, commandId])
        return row && withSecret(row, false)
      }),
    async targetOf(id) {
      const row = await one(desk, signing, [id])
      if (row === undefined) return undefined
      const sealed = [row.secret, row.previous_secret ?? []].flat()
      const { url, events } = row
      return { url, events, secrets: sealed.map(each => openEndpoint(secrets, id, each).secret) }
    },
  }
}

function repeatsIn(desk: PoolDesk): Pick<Webhooks, 'redeliver' | 'replay'> {
  const { pool } = desk
  return {
    async redeliver(id, deliveryId) {
      const { rowCount } = await pool.query(requeue, [id, deliveryId])
      return rowCount === 1
    },
    replay: (id, { after, to }) =>
      locked(desk, id, async (known, on) => {
        if (known.replay_to !== null) return 'busy'
        const row = await one(on, startReplay, [id, after, to])
        return row && endpointOf(row)
      }),
  }
}

const findOne = 'select * from shop.webhook_endpoints where endpoint_id = $1'
const findForUpdate = `${findOne} for update`
const insert = `insert into shop.webhook_endpoints
    (endpoint_id, url, description, events, secret, secret_by, starts_after)
  select $1, $2, $3, $4, $5, $6, $7
  where (select count(*) from shop.webhook_endpoints) < ${endpointsMax}
  on conflict (endpoint_id) do nothing
  returning *`
const update = `update shop.webhook_endpoints
  set url = $2, description = $3, events = $4, disabled_at = $5, disabled_because = $6,
    failures = $7, starts_after = $8, secret = $9, revision = revision + 1, updated_at = now()
  where endpoint_id = $1
  returning *`
const rotate = `update shop.webhook_endpoints
  set previous_secret = secret, previous_until = now() + interval '1 day', secret = $2,
    secret_by = $3, revision = revision + 1, updated_at = now()
  where endpoint_id = $1
  returning *`
const requeue = `update shop.webhook_deliveries
  set status = 'pending', tries = 0, due_at = now(), updated_at = now()
  where endpoint_id = $1 and delivery_id = $2`
const startReplay = `update shop.webhook_endpoints
  set replay_after = $2, replay_to = $3, updated_at = now()
  where endpoint_id = $1
  returning *`
const signing = `select *, case when previous_until > now() then previous_secret end
    as previous_secret
  from shop.webhook_endpoints
  where endpoint_id = $1`

function valuesOf(
  { id, url, description, events, commandId, startsAfter }: NewEndpoint,
  sealed: string,
) {
  return [id, url, description, events, sealed, commandId, startsAfter]
}

function isSame(row: Row, { url, description, events }: NewEndpoint): boolean {
  const fields = [url, description, ...events]
  return JSON.stringify([row.url, row.description, ...row.events]) === JSON.stringify(fields)
}

function isStale({ revision }: Row, expected: number | undefined): boolean {
  return expected !== undefined && expected !== revision
}

function changed(secrets: Secrets, row: Row, change: EndpointChange): unknown[] {
  const { description, enabled, head } = change
  const { url = row.url, events = row.events } = change
  const { secret } = openEndpoint(secrets, row.endpoint_id, row.secret)
  const isEnabled = enabled ?? row.disabled_at === null
  return [
    row.endpoint_id,
    url,
    description ?? row.description,
    events,
    isEnabled ? null : (row.disabled_at ?? new Date()),
    isEnabled ? null : (row.disabled_because ?? 'admin'),
    enabled === true ? 0 : row.failures,
    isEnabled && row.disabled_at !== null ? head : row.starts_after,
    seal(secrets, row.endpoint_id, { secret, url, events: [...events] }),
  ]
}

function endpointOf(row: Row): WebhookEndpoint {
  const isReplaying = row.replay_after !== null && row.replay_to !== null
  return {
    id: row.endpoint_id,
    url: row.url,
    description: row.description,
    events: row.events,
    disabledAt: row.disabled_at,
    disabledBecause: row.disabled_because,
    failures: row.failures,
    previousSecretUntil: row.previous_until,
    replay: isReplaying
      ? { after: row.replay_after ?? startOfLog, to: row.replay_to ?? startOfLog }
      : null,
    revision: row.revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
