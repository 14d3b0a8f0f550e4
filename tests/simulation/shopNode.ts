// A process of the shop as it runs on a simulated node: the real commands, repositories and store
// adapter, with caches of its own that begin empty.

import type { App } from '../../src/commands/core/app.ts'
import { digestOf } from '../../src/commands/core/ids.ts'
import { createApp } from '../../src/commands/createApp.ts'
import { eventSchemas } from '../../src/domain/index.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { postgresEventStore } from '../../src/eventstore/postgres/postgres.ts'
import { streamCaches } from '../../src/infra/caching/caches.ts'
import type { Pool } from '../../src/infra/postgres/sessions.ts'
import type { Codec, Seals } from '../../src/ports/codec.ts'
import type { EventLog } from '../../src/ports/logInspection.ts'
import { simulatedPool } from './postgres/pool.ts'
import type { Server } from './postgres/server.ts'
import type { Provider } from './provider.ts'
import type { Setting } from './setting.ts'
import type { Process, SimulatedNode, World } from './world.ts'

export interface Services {
  world: World
  server: Server
  provider: Provider
  setting: Setting
  /** People whose keys are destroyed. */
  erased: Set<string>
  /** How often processes have begun with a command, by its id. */
  begun: Map<string, number>
}

export interface ShopProcess {
  process: Process
  pool: Pool
  eventStore: EventLog
  codec: Codec
  app: App
}

/** Keys are no secret here; those of the erased open nothing. */
let erased: ReadonlySet<string> = new Set()
const seals: Seals = {
  seal: async (subject, text) => `${subject}:${text}`,
  open: async (subject, sealed) =>
    erased.has(subject) ? undefined : sealed.slice(subject.length + 1),
  isErased: async subject => erased.has(subject),
  evict: () => undefined,
}

/** Making it takes longer than a run. */
const codec = createCodec(eventSchemas, seals)

/** What an older release writes: the first version of what has got a second one. */
function olderCodec(node: SimulatedNode): Codec {
  return {
    ...codec,
    encode(event, id, envelope, owner) {
      const encoded = codec.encode(event, id, envelope, owner)
      const isOlder = node.isOldRelease && event.type === 'OrderShipped'
      if (!isOlder || encoded instanceof Promise) return encoded
      const { tracking, ...data } = encoded.data
      if (tracking !== null) return encoded
      return { ...encoded, data, metadata: { ...encoded.metadata, v: 1 } }
    },
  }
}

/** Starts a process of the shop; nothing is known to it yet. */
export function startShop(services: Services, process: Process): ShopProcess {
  const { world, server, provider, setting } = services
  erased = services.erased
  const pool = simulatedPool(world, process, server)
  const eventStore = postgresEventStore(pool)
  const ownCodec = olderCodec(process.node)
  const app = createApp({
    eventStore,
    codec: ownCodec,
    cache: streamCaches(setting.cachedStreams),
    fingerprint: digestOf,
    commandsMax: setting.commandsMax,
    clock: { now: () => new Date() },
    payments: provider.asSeenBy(process),
    currency: 'GBP',
    orderExpiryMs: setting.orderExpiryMs,
    manualPaymentMs: 2 * setting.orderExpiryMs,
    paymentMethods: ['card', 'card_declined', 'card_needs_action', 'card_late', 'invoice'],
    bounds: { orderPieces: 0, unpaid: { orders: setting.unpaidOrders, pieces: 0 } },
  })
  return { process, pool, eventStore, codec: ownCodec, app }
}
