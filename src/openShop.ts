// Puts the shop together from its settings: the store, the codec, the aggregates, the accounts.
import type { AccountServices } from './commands/accountPorts.ts'
import type { CallbackBook, Codec } from './commands/ports.ts'
import { createShop, type Shop } from './commands/shop.ts'
import type { Config } from './config.ts'
import { eventSchemas } from './domain/events.ts'
import { createCodec } from './eventstore/codec.ts'
import { eventStoreDb } from './eventstore/eventstoredb.ts'
import type { EventStore } from './eventstore/port.ts'
import { postgresEventStore } from './eventstore/postgres.ts'
import { createAccounts } from './infra/accounts.ts'
import { createStreamCaches } from './infra/caches.ts'
import { systemClock } from './infra/clock.ts'
import {
  assertDurable,
  createDatabase,
  createPool,
  type Database,
  type Pool,
} from './infra/database.ts'
import { migrate } from './infra/migrate.ts'
import { createPasswords } from './infra/passwords.ts'
import { callbackBook } from './infra/paymentCallbacks.ts'
import { createSeals, type PersonKeys } from './infra/personKeys.ts'
import { createRecovery } from './infra/recovery.ts'
import { createSecrets } from './infra/secrets.ts'
import { createSessions } from './infra/sessions.ts'
import { simulatedPayments } from './infra/simulatedPayments.ts'
import { stripePayments } from './infra/stripePayments.ts'
import { createTokens } from './infra/tokens.ts'

/** Everything that works on the log and the database, without servers or workers. */
export interface OpenShop {
  shop: Shop
  accounts: AccountServices
  eventStore: EventStore
  codec: Codec
  callbacks: CallbackBook
  pool: Pool
  db: Database
  close(): Promise<void>
}

const cachedStreams = 20_000

/**
 * Opens the shop that the settings describe, after bringing its database to the newest schema.
 * Throws when the database cannot be reached or would lose acknowledged writes.
 */
export async function openShop(config: Config): Promise<OpenShop> {
  await migrate(config.databaseUrl.reveal())
  const pool = createPool(config.databaseUrl.reveal(), { size: config.databasePoolSize })
  await assertDurable(pool)
  const eventStore =
    config.eventStoreUrl === undefined
      ? postgresEventStore(pool)
      : eventStoreDb({ url: config.eventStoreUrl })
  const secrets = createSecrets(config.secretKey)
  const seals = createSeals(pool, secrets)
  const codec = createCodec(eventSchemas, seals)
  const caches = createStreamCaches(cachedStreams)
  const forgetting = forgetErased(seals, caches.clear)
  const passwords = createPasswords(secrets)
  const db = createDatabase(pool)
  const payments =
    config.stripe === undefined
      ? simulatedPayments(pool, secrets.key('payment-callbacks'))
      : stripePayments(pool, config.stripe)
  return {
    shop: createShop({
      eventStore,
      codec,
      cache: caches.factory,
      clock: systemClock,
      payments,
      currency: config.currency,
      orderExpiryMs: config.orderExpiryMinutes * 60_000,
    }),
    accounts: {
      accounts: createAccounts(pool, secrets),
      passwords,
      tokens: createTokens(pool, secrets, {
        issuer: config.publicUrl,
        accessTtlSeconds: config.accessTokenTtlSeconds,
      }),
      sessions: createSessions(pool, secrets, { ttlSeconds: config.refreshTokenTtlSeconds }),
      recovery: createRecovery(pool, secrets),
    },
    eventStore,
    codec,
    callbacks: callbackBook(pool, payments.name),
    pool,
    db,
    async close() {
      clearInterval(forgetting)
      await passwords.close()
      await eventStore.close()
      await pool.end()
    },
  }
}

const lookForErasedMs = 1_000

/** Makes this process forget whom another one has erased, within about a second. */
function forgetErased(seals: PersonKeys, clearCaches: () => void): NodeJS.Timeout {
  const look = async () => {
    if (await seals.dropErased()) clearCaches()
  }
  // While the database is away nothing can be erased either; the next look finds it.
  return setInterval(() => look().catch(() => undefined), lookForErasedMs).unref()
}
