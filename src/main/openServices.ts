// Creates the services of a shop from its settings: event store, codec, aggregates, accounts.

import type { App } from '../commands/core/app.ts'
import { createApp } from '../commands/createApp.ts'
import { type Config, ConfigError } from '../config/config.ts'
import { eventSchemas } from '../domain/index.ts'
import { createCodec } from '../eventstore/core/codec.ts'
import { createEventSeals, type EventSeals, sealedStore } from '../eventstore/core/eventSeals.ts'
import { countedStore, tracedStore, watchedStore } from '../eventstore/core/observed.ts'
import { upcasters } from '../eventstore/core/upcasters.ts'
import { postgresEventStore } from '../eventstore/postgres/postgres.ts'
import { createAccounts } from '../infra/accounts/accounts.ts'
import { bindHashes } from '../infra/accounts/bindHashes.ts'
import { createAddresses } from '../infra/accounts/emailAddresses.ts'
import { createPasswords } from '../infra/accounts/passwords.ts'
import { createRecovery } from '../infra/accounts/recovery.ts'
import { createSessions } from '../infra/accounts/sessions.ts'
import { createTokens, issuerOf } from '../infra/accounts/tokens.ts'
import { createCheckpointSigner } from '../infra/audit/auditKeys.ts'
import { createCheckpointBook } from '../infra/audit/checkpointBook.ts'
import { createErasureList } from '../infra/audit/erasureList.ts'
import {
  createHighWaterMarks,
  fileStore,
  redisStore,
  tableStore,
} from '../infra/audit/highWaterMarks.ts'
import { createStateGuard } from '../infra/audit/stateGuard.ts'
import { createStreamCaches } from '../infra/caching/caches.ts'
import { createImportSeals } from '../infra/crypto/importSeals.ts'
import { createSeals, type PersonKeys } from '../infra/crypto/personKeys.ts'
import { createSecrets, type Secrets } from '../infra/crypto/secrets.ts'
import { createLogIdentity, type LogIdentity } from '../infra/log/logIdentity.ts'
import { ownLogStore } from '../infra/log/ownLog.ts'
import { assertSettingsFit, rememberSettings } from '../infra/log/shopIdentity.ts'
import { createSnapshots } from '../infra/log/snapshots.ts'
import { createStreamOwners } from '../infra/log/streamOwners.ts'
import { observedPayments } from '../infra/payments/observedPayments.ts'
import { callbackBook } from '../infra/payments/paymentCallbacks.ts'
import { createFingerprint, createRequestKeys } from '../infra/payments/requestKeys.ts'
import { simulatedPayments } from '../infra/payments/simulatedPayments.ts'
import { guardedPayments } from '../infra/plugins/guards.ts'
import { createOrderPricing } from '../infra/plugins/orderPricing.ts'
import {
  assertDurable,
  createDatabase,
  createPool,
  type Database,
  type Pool,
} from '../infra/postgres/database.ts'
import { migrate } from '../infra/postgres/migrate.ts'
import { createRedis, type Redis } from '../infra/redis/redis.ts'
import { systemClock } from '../infra/system/clock.ts'
import { createWebhooks } from '../infra/webhooks/webhooks.ts'
import { withDeadline } from '../kit/deadline.ts'
import type { AccountServices, SharedPasswords } from '../ports/accounts.ts'
import type { AuditServices } from '../ports/audit.ts'
import type { Codec } from '../ports/codec.ts'
import { ForeignLog } from '../ports/eventStore.ts'
import type { ImportSeals } from '../ports/imports.ts'
import type { EventLog } from '../ports/logInspection.ts'
import type { CallbackBook, PaymentProvider } from '../ports/payments.ts'
import type { Fingerprint, RequestKeys } from '../ports/requests.ts'
import { type Observing, unobserved } from '../ports/tracing.ts'
import type { Webhooks } from '../ports/webhooks.ts'
import { openEventStoreDb } from './openEventStore.ts'
import { type LoadedPlugins, loadPlugins } from './plugins.ts'

/** Everything that works on the log and the database, without servers or workers. */
export interface AppServices {
  app: App
  accounts: AccountServices & { passwords: SharedPasswords }
  audit: AuditServices
  eventStore: EventLog
  /** Tells this shop from every other one. */
  shopId: string
  /** Whether the event log is the one that the database knows. */
  logIdentity: LogIdentity
  codec: Codec
  callbacks: CallbackBook
  requestKeys: RequestKeys
  fingerprint: Fingerprint
  webhooks: Webhooks
  importSeals: ImportSeals
  plugins: LoadedPlugins
  pool: Pool
  db: Database
  close(): Promise<void>
}

/** A restore and an adoption open a log that the database does not know yet. */
export type Purpose = 'serve' | 'restore' | 'adopt'

const closingSaveMs = 1_000
/** Of each kind, the last ones that were worked on: a command for another one reads its stream. */
const cachedStreamsDefault = 2_000

/**
 * Opens the shop that the settings describe, after bringing its database to the newest schema.
 * Throws when the database cannot be reached or would lose acknowledged writes. Only `npm run
 * restore` opens one whose restore has not ended.
 */
export async function openServices(
  config: Config,
  observing: Observing = unobserved,
  purpose: Purpose = 'serve',
  cachedStreams = cachedStreamsDefault,
): Promise<AppServices> {
  const secrets = createSecrets(config.secretKey)
  const seals = createEventSeals(secrets.key('event-seals'))
  const plugins = await loadPlugins(config)
  const data = await openData(config, { secrets, seals, purpose }, observing)
  const { pool, eventStore, shopId, proof, logIdentity } = data
  const personKeys = createSeals(pool, secrets)
  const codec = createCodec(eventSchemas, personKeys, upcasters, createStreamOwners(eventStore))
  const fingerprint = createFingerprint(secrets)
  const caches = createStreamCaches(cachedStreams)
  const evictErased = () => dropErased(personKeys, caches.clear)
  // While the database is unavailable nothing is erased either; the next poll succeeds.
  const forgetting = setInterval(() => evictErased().catch(() => undefined), erasedPollMs).unref()
  const passwords = createPasswords(secrets, { cost: config.passwordCost })
  const db = createDatabase(pool)
  const provider = await paymentsOf(config, plugins, { pool, secrets })
  const payments = observedPayments(provider, observing.metrics)
  return {
    app: createApp({
      eventStore,
      codec,
      cache: caches.factory,
      fingerprint,
      snapshots: createSnapshots(pool, secrets),
      clock: systemClock,
      payments,
      pricing: createOrderPricing(plugins, observing.providerFailed),
      currency: config.currency,
      ...config.ordering,
    }),
    accounts: { ...accountsOf(config, { pool, secrets, shopId, evictErased }), passwords },
    audit: proof.services,
    eventStore,
    shopId,
    logIdentity,
    codec,
    callbacks: callbackBook(pool, payments.name),
    requestKeys: createRequestKeys(secrets),
    fingerprint,
    webhooks: createWebhooks(pool, secrets),
    importSeals: createImportSeals(secrets),
    plugins,
    pool,
    db,
    async close() {
      clearInterval(forgetting)
      proof.close()
      await Promise.all([passwords.close(), plugins.close()])
      // Saves the newest position; an unavailable server does not delay the stop.
      await withDeadline(closingSaveMs, 'the log', logIdentity.remember()).catch(() => undefined)
      await eventStore.close()
      await pool.end()
    },
  }
}

interface Sealing {
  secrets: Secrets
  seals: EventSeals
}

/** Opens database and log, when the settings are the ones that belong to them. */
async function openData(
  config: Config,
  { secrets, seals, purpose }: Sealing & { purpose: Purpose },
  observing: Observing,
) {
  const { metrics, tracing, health } = observing
  const url = config.databaseUrl.reveal()
  const pool = createPool(url, { size: config.databasePoolSize, onFailure: health.failed })
  const settings = {
    currency: config.currency,
    secrets,
    storeKind: config.eventStoreUrl === undefined ? 'postgres' : 'eventstoredb',
    streamPrefix: config.streamPrefix,
  } as const
  const proof = proofOf(config, pool, { secrets, seals })
  let store: EventLog | undefined
  let checkIdentity: LogIdentity['check'] | undefined
  const confirm = async () => {
    const fault = await checkIdentity?.()
    if (fault !== undefined) throw new ForeignLog(fault)
  }
  try {
    await assertSettingsFit(pool, settings, purpose === 'restore')
    await migrate(url)
    await assertDurable(pool)
    await bindHashes(pool, secrets, proof.marks)
    store =
      config.eventStoreUrl === undefined
        ? postgresEventStore(pool, metrics)
        : countedStore(
            await openEventStoreDb(config, config.eventStoreUrl.reveal(), {
              observing,
              confirm,
            }),
            metrics,
          )
    const logSetting = config.eventStoreUrl === undefined ? 'DATABASE_URL' : 'EVENTSTORE_URL'
    const logIdentity = createLogIdentity(pool, store, logSetting)
    const isOwnLog = async () => {
      const fault = purpose === 'serve' ? await logIdentity.start() : undefined
      if (fault !== undefined) throw new ConfigError(fault)
      return purpose !== 'adopt'
    }
    const shopId = await rememberSettings(pool, settings, { eventStore: store, isOwnLog })
    if (purpose === 'serve') checkIdentity = logIdentity.check
    const own = purpose === 'serve' ? ownLogStore(store, logIdentity) : store
    const eventStore = tracedStore(sealedStore(watchedStore(own, metrics), seals), tracing)
    return { pool, eventStore, shopId, proof, logIdentity }
  } catch (error) {
    proof.close()
    await store?.close()
    await pool.end()
    throw error
  }
}

interface AccountDeps {
  pool: Pool
  secrets: Secrets
  shopId: string
  /** Evicts people who have been erased from the caches of this process. */
  evictErased(): Promise<void>
}

function accountsOf(config: Config, { pool, secrets, shopId, evictErased }: AccountDeps) {
  const accounts = createAccounts(pool, secrets)
  return {
    accounts: {
      ...accounts,
      async forget(customerId: string) {
        await accounts.forget(customerId)
        await evictErased()
      },
    },
    tokens: createTokens(pool, secrets, {
      issuer: issuerOf(shopId),
      accessTtlSeconds: config.accessTokenTtlSeconds,
    }),
    sessions: createSessions(pool, secrets, { ttlSeconds: config.refreshTokenTtlSeconds }),
    recovery: createRecovery(pool, secrets),
    addresses: createAddresses(pool, secrets),
    erasures: createErasureList(config.audit.directory, secrets),
  }
}

/** The audit services; Redis is connected on first use of its copy of the high-water mark. */
function proofOf(
  { audit, redisUrl, eventStoreUrl, currency }: Config,
  pool: Pool,
  { secrets, seals }: Sealing,
) {
  let redis: Redis | undefined
  const connect = () => {
    redis ??= createRedis(redisUrl.reveal())
    return redis
  }
  const stores = [tableStore(pool), fileStore(audit.directory), redisStore(connect)]
  const marks = createHighWaterMarks(pool, secrets, stores)
  const services: AuditServices = {
    book: createCheckpointBook(pool),
    signer: createCheckpointSigner(pool, secrets),
    seals,
    marks,
    guard: createStateGuard(pool, secrets, { holdsLog: eventStoreUrl === undefined, currency }),
  }
  return { services, marks, close: () => redis?.disconnect() }
}

async function paymentsOf(
  { stripe, paymentProvider }: Config,
  { payment }: LoadedPlugins,
  { pool, secrets }: { pool: Pool; secrets: Secrets },
): Promise<PaymentProvider> {
  if (paymentProvider === 'plugin' && payment !== undefined) return guardedPayments(payment)
  if (stripe === undefined) return simulatedPayments(pool, secrets.key('payment-callbacks'))
  const { stripePayments } = await import('../infra/payments/stripePayments.ts')
  return stripePayments(pool, stripe)
}

const erasedPollMs = 1_000

/** Evicts people whom another process has erased. */
async function dropErased(seals: PersonKeys, clearCaches: () => void): Promise<void> {
  if (await seals.dropErased()) clearCaches()
}
