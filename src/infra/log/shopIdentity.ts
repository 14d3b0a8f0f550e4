// What the data of a shop rests on, remembered in its database: currency, secret, event log.
// A start with other settings is refused before anything is written or served.
import { ConfigError } from '../../config/config.ts'
import { firstOf } from '../../kit/firstOf.ts'
import type { EventStore, RecordedEvent } from '../../ports/eventStore.ts'
import type { Purpose, Secrets } from '../crypto/secrets.ts'
import {
  type Pool,
  type Queryable,
  rows,
  type Statement,
  transaction,
} from '../postgres/database.ts'

export type StoreKind = 'postgres' | 'eventstoredb'

export interface ShopSettings {
  currency: string
  secrets: Secrets
  storeKind: StoreKind
  /** In front of the names of the shop's streams on the server. */
  streamPrefix?: string
}

interface IdentityRow {
  shop_id: string
  currency: string
  sealed_sentinel: string
  event_store: StoreKind
  /** Null where no start has remembered it yet, and in a database from before there was one. */
  stream_prefix: string | null
}

interface SealedRow {
  sealed: string
  context: string
}

const sentinel = 'orderstream'

/**
 * A table that is there from the first row of a backup until everything that follows from it is
 * done: what the database holds is no shop yet.
 */
export const unfinishedRestore = 'shop.unfinished_restore'
/** The same before there are tables: a schema of this name. */
export const restoreBegun = 'unfinished_restore'

const findIdentity: Statement = {
  name: 'identity_find',
  text: `select shop_id::text, currency, sealed_sentinel, event_store,
      to_jsonb(known) ->> 'stream_prefix' as stream_prefix
    from shop.identity known`,
}
const lockIdentity: Statement = {
  name: 'identity_lock',
  text: `select pg_advisory_xact_lock(hashtext('shop.identity'))`,
}
const insertIdentity: Statement = {
  name: 'identity_insert',
  text: `insert into shop.identity (shop_id, currency, sealed_sentinel, event_store)
    values ($1, $2, $3, $4)`,
}
const setPrefix: Statement = {
  name: 'identity_stream_prefix',
  text: 'update shop.identity set stream_prefix = $1 where stream_prefix is null',
}
const findTables: Statement = {
  name: 'identity_tables',
  text: `select name from unnest($1::text[]) as name
    where to_regclass(name) is not null
      or exists (select from pg_namespace where nspname = name)`,
}
const findEvent: Statement = {
  name: 'identity_event',
  text: 'select 1 from eventstore.events limit 1',
}
const findCheckpoint: Statement = {
  name: 'identity_checkpoint',
  text: 'select 1 from shop.checkpoints where position > 0 limit 1',
}

/** What is sealed in a database from before there was a sentinel; one row proves the secret. */
const sealedRows: readonly { table: string; purpose: Purpose; find: Statement }[] = [
  {
    table: 'shop.signing_keys',
    purpose: 'signing-keys',
    find: {
      name: 'identity_signing_key',
      text: `select sealed_private_key as sealed, kid as context
        from shop.signing_keys
        limit 1`,
    },
  },
  {
    table: 'shop.audit_keys',
    purpose: 'audit-keys',
    find: {
      name: 'identity_audit_key',
      text: 'select sealed_private_key as sealed, kid as context from shop.audit_keys limit 1',
    },
  },
  {
    table: 'shop.person_keys',
    purpose: 'person-keys',
    find: {
      name: 'identity_person_key',
      text: `select sealed_key as sealed, subject::text as context
        from shop.person_keys
        where sealed_key is not null
        limit 1`,
    },
  },
]

/**
 * Refuses settings that contradict what a database holds, whatever its schema. It only reads, so it
 * comes before migrations. Throws ConfigError with one line that says what to do.
 */
export async function assertSettingsFit(
  pool: Pool,
  settings: ShopSettings,
  isRestoring = false,
): Promise<void> {
  const marks = [unfinishedRestore, restoreBegun]
  const names = ['shop.identity', ...marks, ...sealedRows.map(each => each.table)]
  const found = await rows<{ name: string }>(pool, findTables, [names])
  const tables = new Set(found.map(({ name }) => name))
  if (!isRestoring && marks.some(mark => tables.has(mark))) throw brokenOff()
  const known = tables.has('shop.identity') ? await readIdentity(pool) : undefined
  if (known === undefined) await proveSecret(pool, settings.secrets, tables)
  else compareWith(known, settings)
}

/**
 * Compares the settings with what this shop has remembered since its first start, or remembers them
 * now: of processes that start together the first one decides. Gives the id of the shop. Throws
 * ConfigError where they contradict each other or the log.
 */
export async function rememberSettings(
  pool: Pool,
  settings: ShopSettings,
  { eventStore, isOwnLog }: { eventStore: EventStore; isOwnLog(): Promise<boolean> },
): Promise<string> {
  const stored = (await readIdentity(pool)) ?? (await remember(pool, settings, eventStore))
  compareWith(stored, settings)
  // Only then: the events under this prefix are those of this shop.
  if (await isOwnLog()) await rows(pool, setPrefix, [settings.streamPrefix ?? ''])
  return stored.shop_id
}

async function readIdentity(on: Queryable): Promise<IdentityRow | undefined> {
  return (await rows<IdentityRow>(on, findIdentity))[0]
}

async function remember(
  pool: Pool,
  settings: ShopSettings,
  eventStore: EventStore,
): Promise<IdentityRow> {
  await compareWithLog(pool, settings, eventStore)
  return transaction(pool, async session => {
    await rows(session, lockIdentity)
    const before = await readIdentity(session)
    if (before !== undefined) return before
    await proveSecret(session, settings.secrets, new Set(sealedRows.map(each => each.table)))
    const shopId = crypto.randomUUID()
    const sealed = settings.secrets.seal('sentinel', sentinel, shopId)
    await rows(session, insertIdentity, [shopId, settings.currency, sealed, settings.storeKind])
    const made = await readIdentity(session)
    if (made === undefined) throw new Error('the identity of the shop was not written')
    return made
  })
}

/** Of a database from before its settings were remembered, the log tells what they were. */
async function compareWithLog(
  pool: Pool,
  { currency, storeKind }: ShopSettings,
  eventStore: EventStore,
): Promise<void> {
  if (storeKind === 'eventstoredb' && (await rows(pool, findEvent)).length > 0) {
    throw wrongStore('postgres')
  }
  const first = await firstOf(eventStore.readAll({ filter: { types: ['ProductCreated'] } }))
  const isNew = first === undefined
  if (isNew && storeKind === 'postgres' && (await rows(pool, findEvent)).length === 0) {
    // Read models that have come further than this log were built from another one.
    if ((await rows(pool, findCheckpoint)).length > 0) throw wrongStore('eventstoredb')
  }
  const sold = first === undefined ? undefined : currencyOf(first)
  if (sold !== undefined && sold !== currency) throw wrongCurrency(sold, currency)
}

function currencyOf({ data }: RecordedEvent): string | undefined {
  const { price } = data
  if (typeof price !== 'object' || price === null || !('currency' in price)) return undefined
  return String(price.currency)
}

async function proveSecret(on: Queryable, secrets: Secrets, tables: ReadonlySet<string>) {
  for (const { table, purpose, find } of sealedRows) {
    if (!tables.has(table)) continue
    const [row] = await rows<SealedRow>(on, find)
    if (row !== undefined) opened(() => secrets.open(purpose, row.sealed, row.context))
  }
}

function compareWith(known: IdentityRow, settings: ShopSettings): void {
  const { currency, secrets, storeKind, streamPrefix = '' } = settings
  opened(() => secrets.open('sentinel', known.sealed_sentinel, known.shop_id))
  if (known.currency !== currency) throw wrongCurrency(known.currency, currency)
  if (known.event_store !== storeKind) throw wrongStore(known.event_store)
  if (storeKind === 'postgres' && streamPrefix !== '') throw prefixWithoutServer()
  const before = known.stream_prefix ?? streamPrefix
  if (before !== streamPrefix) throw wrongPrefix(before, streamPrefix)
}

function opened(open: () => string): void {
  try {
    open()
  } catch {
    throw new ConfigError(
      'SECRET_KEY is not the one that the data of this shop is encrypted with: set the ' +
        'SECRET_KEY of before (nothing was changed)',
    )
  }
}

function brokenOff(): ConfigError {
  return new ConfigError(
    'DATABASE_URL names a database into which a backup is being restored, or was not to its end: ' +
      'wait for npm run restore, or run it again with an empty database',
  )
}

function wrongCurrency(known: string, configured: string): ConfigError {
  return new ConfigError(
    `CURRENCY is ${configured}, but the prices and orders of this shop are in ${known}: ` +
      `set CURRENCY=${known}, or give a shop in ${configured} a database of its own (DATABASE_URL)`,
  )
}

function wrongStore(known: StoreKind): ConfigError {
  return new ConfigError(
    known === 'postgres'
      ? 'EVENTSTORE_URL is set, but the log of this shop is in PostgreSQL: unset it, or give the ' +
          'new shop a database of its own (DATABASE_URL)'
      : 'EVENTSTORE_URL is missing: the log of this shop is in EventStoreDB, set the ' +
          'EVENTSTORE_URL of before',
  )
}

function wrongPrefix(known: string, configured: string): ConfigError {
  const was = known === '' ? 'without EVENTSTORE_STREAM_PREFIX' : `with ${known} in front`
  const remedy = known === '' ? 'unset it' : `set EVENTSTORE_STREAM_PREFIX=${known}`
  return new ConfigError(
    `EVENTSTORE_STREAM_PREFIX is ${configured === '' ? 'missing' : configured}` +
      `, but the streams of this shop were begun ${was}: ${remedy}, or give the new shop a ` +
      'database of its own (DATABASE_URL)',
  )
}

function prefixWithoutServer(): ConfigError {
  return new ConfigError(
    'EVENTSTORE_STREAM_PREFIX is set without EVENTSTORE_URL, and the log in PostgreSQL has none: ' +
      'unset it, or set EVENTSTORE_URL',
  )
}
