// A shop with real accounts on a database of its own, and its log in memory.

import { rm } from 'node:fs/promises'
import type { App } from '../../src/commands/core/app.ts'
import { digestOf } from '../../src/commands/core/ids.ts'
import { createApp } from '../../src/commands/createApp.ts'
import { Secret } from '../../src/config/secret.ts'
import { eventSchemas } from '../../src/domain/index.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import { createAccounts } from '../../src/infra/accounts/accounts.ts'
import { createAddresses } from '../../src/infra/accounts/emailAddresses.ts'
import { createPasswords } from '../../src/infra/accounts/passwords.ts'
import { createRecovery } from '../../src/infra/accounts/recovery.ts'
import { createSessions } from '../../src/infra/accounts/sessions.ts'
import { createTokens } from '../../src/infra/accounts/tokens.ts'
import { createErasureList } from '../../src/infra/audit/erasureList.ts'
import { streamCaches } from '../../src/infra/caching/caches.ts'
import { createSeals } from '../../src/infra/crypto/personKeys.ts'
import { createSecrets, type Secrets } from '../../src/infra/crypto/secrets.ts'
import { simulatedPayments } from '../../src/infra/payments/simulatedPayments.ts'
import { createPool, type Pool } from '../../src/infra/postgres/database.ts'
import { systemClock } from '../../src/infra/system/clock.ts'
import type { AccountServices } from '../../src/ports/accounts.ts'
import type { EventStore } from '../../src/ports/eventStore.ts'
import { testDatabase } from './database.ts'
import { temporaryDirectory } from './servers.ts'

export interface Lodge {
  pool: Pool
  secrets: Secrets
  close(): Promise<void>
}

export interface AccountShop extends Lodge {
  app: App
  services: AccountServices
  eventStore: EventStore
}

export const testSecretKey = 'c0ffee'.repeat(11)
export const issuer = 'https://shop.example.com'
/** The least that bcrypt takes: these tests are not about how long it lasts. */
export const cheapCost = 4

/** A fresh database, and the secrets that belong to it. */
export async function openLodge(): Promise<Lodge> {
  const database = await testDatabase()
  const pool = createPool(database.url)
  return {
    pool,
    secrets: createSecrets(new Secret(testSecretKey)),
    async close() {
      await pool.end()
      await database.drop()
    },
  }
}

/** A shop on it. */
export async function openAccountShop(): Promise<AccountShop> {
  const lodge = await openLodge()
  const { pool, secrets } = lodge
  const directory = await temporaryDirectory()
  const eventStore = memoryEventStore()
  const passwords = createPasswords(secrets, { cost: cheapCost, queueMax: 100 })
  const app = createApp({
    eventStore,
    codec: createCodec(eventSchemas, createSeals(pool, secrets)),
    cache: streamCaches(1_000),
    fingerprint: digestOf,
    clock: systemClock,
    payments: simulatedPayments(pool, secrets.key('payment-callbacks')),
    currency: 'GBP',
  })
  const services: AccountServices = {
    accounts: createAccounts(pool, secrets),
    passwords,
    tokens: createTokens(pool, secrets, { issuer, accessTtlSeconds: 300 }),
    sessions: createSessions(pool, secrets, { ttlSeconds: 30 * 86_400 }),
    recovery: createRecovery(pool, secrets),
    addresses: createAddresses(pool, secrets),
    erasures: createErasureList(directory, secrets),
  }
  return {
    ...lodge,
    app,
    services,
    eventStore,
    async close() {
      await passwords.close()
      await eventStore.close()
      await lodge.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
