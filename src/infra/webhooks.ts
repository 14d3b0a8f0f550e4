// Who is told about events over HTTP: endpoints with their sealed secrets, in PostgreSQL.
import { randomBytes } from 'node:crypto'
import type {
  DisabledBecause,
  EndpointChange,
  NewEndpoint,
  WebhookEndpoint,
  Webhooks,
  WebhookType,
  WithSecret,
} from '../commands/webhookPorts.ts'
import { type Pool, type Queryable, type Session, transaction } from './database.ts'
import type { Secrets } from './secrets.ts'

interface Row {
  endpoint_id: string
  url: string
  description: string
  events: WebhookType[]
  secret: string
  previous_secret: string | null
  previous_until: Date | null
  secret_by: string
  starts_after: bigint
  disabled_at: Date | null
  disabled_because: DisabledBecause | null
  failures: number
  replay_after: bigint | null
  replay_to: bigint | null
  revision: number
  created_at: Date
  updated_at: Date
}

const endpointsMax = 100
const secretBytes = 32
const newSecret = () => `whsec_${randomBytes(secretBytes).toString('base64')}`

/** The endpoints of a shop. */
export function createWebhooks(pool: Pool, secrets: Secrets): Webhooks {
  return { ...endpointsIn(pool), ...secretsIn(pool, secrets), ...repeatsIn(pool) }
}

async function one(on: Queryable, text: string, values: unknown[]): Promise<Row | undefined> {
  return (await on.query<Row>({ text, values })).rows[0]
}

/** One transaction that has the endpoint to itself; undefined when there is none. */
function locked<T>(pool: Pool, id: string, work: (known: Row, session: Session) => Promise<T>) {
  return transaction(pool, async session => {
    const known = await one(session, findForUpdate, [id])
    return known === undefined ? undefined : work(known, session)
  })
}

function endpointsIn(pool: Pool): Pick<Webhooks, 'list' | 'find' | 'change' | 'remove'> {
  return {
    async list() {
      const text = 'select * from shop.webhook_endpoints order by created_at, endpoint_id'
      return (await pool.query<Row>(text)).rows.map(endpointOf)
    },
    async find(id) {
      const row = await one(pool, findOne, [id])
      return row && endpointOf(row)
    },
    change: (id, change, revision) =>
      locked(pool, id, async (known, session) => {
        if (isStale(known, revision)) return 'stale'
        const row = await one(session, update, changed(known, change))
        return row && endpointOf(row)
      }),
    remove: (id, revision) =>
      locked(pool, id, async (known, session) => {
        if (isStale(known, revision)) return 'stale'
        await one(session, 'delete from shop.webhook_endpoints where endpoint_id = $1', [id])
        return 'removed'
      }),
  }
}

function secretsIn(
  pool: Pool,
  secrets: Secrets,
): Pick<Webhooks, 'create' | 'rotate' | 'secretsOf'> {
  const seal = (secret: string, id: string) => secrets.seal('webhooks', secret, id)
  const withSecret = (row: Row, replayed: boolean): WithSecret => ({
    endpoint: endpointOf(row),
    secret: secrets.open('webhooks', row.secret, row.endpoint_id),
    replayed,
  })
  return {
    async create(endpoint) {
      const { id } = endpoint
      const made = await one(pool, insert, valuesOf(endpoint, seal(newSecret(), id)))
      if (made !== undefined) return withSecret(made, false)
      const known = await one(pool, findOne, [id])
      if (known === undefined) return 'full'
      return isSame(known, endpoint) ? withSecret(known, true) : 'other'
    },
    rotate: (id, commandId) =>
      locked(pool, id, async (known, session) => {
        if (known.secret_by === commandId) return withSecret(known, true)
        const row = await one(session, rotate, [id, seal(newSecret(), id), commandId])
        return row && withSecret(row, false)
      }),
    async secretsOf(id) {
      const row = await one(pool, signing, [id])
      const sealed = row === undefined ? [] : [row.secret, row.previous_secret ?? []].flat()
      return sealed.map(each => secrets.open('webhooks', each, id))
    },
  }
}

function repeatsIn(pool: Pool): Pick<Webhooks, 'redeliver' | 'replay'> {
  return {
    async redeliver(id, deliveryId) {
      const { rowCount } = await pool.query(requeue, [id, deliveryId])
      return rowCount === 1
    },
    replay: (id, { after, to }) =>
      locked(pool, id, async (known, session) => {
        if (known.replay_to !== null) return 'busy'
        const row = await one(session, startReplay, [id, after, to])
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
    failures = $7, starts_after = $8, revision = revision + 1, updated_at = now()
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
  const asked = [url, description, ...events]
  return JSON.stringify([row.url, row.description, ...row.events]) === JSON.stringify(asked)
}

function isStale({ revision }: Row, expected: number | undefined): boolean {
  return expected !== undefined && expected !== revision
}

function changed(row: Row, change: EndpointChange): unknown[] {
  const { url, description, events, enabled, head } = change
  const isEnabled = enabled ?? row.disabled_at === null
  return [
    row.endpoint_id,
    url ?? row.url,
    description ?? row.description,
    events ?? row.events,
    isEnabled ? null : (row.disabled_at ?? new Date()),
    isEnabled ? null : (row.disabled_because ?? 'admin'),
    enabled === true ? 0 : row.failures,
    isEnabled && row.disabled_at !== null ? head : row.starts_after,
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
    replay: isReplaying ? { after: row.replay_after ?? 0n, to: row.replay_to ?? 0n } : null,
    revision: row.revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
