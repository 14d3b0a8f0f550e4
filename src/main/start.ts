// Starts the API, the workers, or both in one process.
import { pino } from 'pino'
import { createPositions } from '../api/http/positions.ts'
import { createNotificationFeed } from '../api/realtime/feed.ts'
import { buildServer } from '../api/server.ts'
import { type Config, ConfigError, localUrl } from '../config/config.ts'
import { claimRedis } from '../infra/caching/claimRedis.ts'
import { createResponseCache } from '../infra/caching/responseCache.ts'
import { assertWritable, createFileStore } from '../infra/files/fileStore.ts'
import { createImaging } from '../infra/files/imaging.ts'
import { createProductImports } from '../infra/imports/productImports.ts'
import { createMailBox } from '../infra/mail/mailBox.ts'
import { createOwnWrites } from '../infra/redis/ownWrites.ts'
import { createCounters } from '../infra/redis/rateLimits.ts'
import { createRedis, createSignals } from '../infra/redis/redis.ts'
import { listenFault } from '../infra/system/tcpPorts.ts'
import { createWebhookSender } from '../infra/webhooks/webhookSender.ts'
import { ListUnavailable } from '../ports/erasure.ts'
import { listingVersion } from '../projections/catalogue/listingVersion.ts'
import { positionsOf } from '../projections/core/checkpoints.ts'
import { type ErasureDeps, eraseAgain } from '../workers/jobs/erasedPeople.ts'
import { openQueues } from '../workers/jobs/jobQueue.ts'
import { createProgress } from '../workers/projector/progress.ts'
import { reactions } from '../workers/reactions/index.ts'
import {
  accountMailsQueued,
  importsChanged,
  orderNotificationsSent,
  webhooksRequested,
} from './channels.ts'
import { createObservability } from './observe.ts'
import { openServices } from './openServices.ts'
import { seedCatalogue } from './sampleCatalogue.ts'
import type { StartContext, WorkerDeps } from './startWorkers.ts'

export interface ProcessRoles {
  api: boolean
  workers: boolean
  /** Whether this process is the whole shop, on two threads: `npm start`. */
  isAllInOne?: boolean
}

export interface Running {
  url: string
  /** Finishes running requests, then stops everything else in order. */
  close(): Promise<void>
}

/**
 * Starts what is wanted of the shop and resolves once it serves. `say` is told of the few things an
 * operator wants to see. Throws what keeps it from starting, with everything stopped again.
 */
export async function startApp(
  config: Config,
  parts: ProcessRoles,
  onMessage: (line: string) => void = () => undefined,
): Promise<Running> {
  const closers: (() => Promise<unknown> | unknown)[] = []
  const close = async () => {
    for (const stop of closers.splice(0).reverse()) await stop()
  }
  try {
    return { url: await start(config, parts, { closers, onMessage }), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function start(
  config: Config,
  parts: ProcessRoles,
  { closers, onMessage }: StartContext,
): Promise<string> {
  const log = pino({ level: config.logLevel })
  const observability = await createObservability(config, parts.api ? 'api' : 'worker', log)
  closers.push(observability.close)
  await assertWritable(config.filesDirectory)
  const open = await openServices(parts.api ? config : forWorker(config), observability)
  closers.push(open.close)
  const redis = createRedis(config.redisUrl.reveal())
  closers.push(() => redis.disconnect())
  const claim = await claimRedis(redis, open.shopId, log)
  closers.push(claim.stop)
  const signals = createSignals(redis)
  closers.push(signals.close)
  const { metrics, tracing, health } = observability
  const cacheRedis = createRedis((config.cacheRedisUrl ?? config.redisUrl).reveal())
  closers.push(() => cacheRedis.disconnect())
  const answers = createResponseCache(cacheRedis, {
    metrics,
    readVersion: () => listingVersion(open.db),
    bytesMax: config.cacheRedisMegabytes * 1024 * 1024,
  })
  const queues = openQueues(redis)
  closers.push(queues.close)
  await observability.serve(open, queues, { redis, cacheRedis })
  const progress = createProgress()
  const images = { files: createFileStore(config.filesDirectory), imaging: createImaging() }

  const hasPort = parts.api || parts.isAllInOne === true
  if (parts.api && (parts.workers || parts.isAllInOne)) {
    const seeded = await seedCatalogue(open)
    if (seeded > 0) onMessage(`made a sample catalogue of ${seeded} products`)
  }
  const shared = {
    ...open,
    ...images,
    redis,
    signals,
    answers,
    progress,
    queues: queues.queues,
    metrics,
    tracing,
    health,
    log,
    ownWrites: createOwnWrites(redis, () => open.eventStore.head()),
    sender: createWebhookSender({ allowedNetworks: config.webhookAllowedNetworks }),
    hasPort,
  }
  await repeatErasures(shared)
  if (parts.workers) {
    const { startWorkers } = await import('./startWorkers.ts')
    await startWorkers(config, shared, closers)
  }
  return parts.api ? serve(config, shared, closers) : localUrl(config.host, config.port)
}

/** One session listens and one signs; the others serve queries. */
const workerPoolMin = 4

/** Workers read through a pool of their own and send fewer commands than an API. */
function forWorker(config: Config): Config {
  const half = Math.ceil(config.databasePoolSize / 2)
  return { ...config, databasePoolSize: Math.max(workerPoolMin, half) }
}

/** Repeats erasures that a restored backup has undone, before the process serves. */
async function repeatErasures(parts: ErasureDeps): Promise<void> {
  const { erasures } = parts.accounts
  try {
    await eraseAgain(parts)
    await erasures.assertWritable()
  } catch (error) {
    if (!(error instanceof ListUnavailable)) throw error
    const { reason } = error
    const isReadable = await erasures.all().then(
      () => true,
      () => false,
    )
    if (!isReadable) {
      throw new ConfigError(
        `AUDIT_DIR: the list of erased people cannot be read (${reason}): ` +
          'without it a restored backup would bring them back',
      )
    }
    parts.log.warn({ event: 'erasures-not-writable', reason }, 'nobody can be erased: AUDIT_DIR')
  }
}

/** Starts the API; the address that it serves at. */
async function serve(config: Config, parts: WorkerDeps, closers: StartContext['closers']) {
  const { pool, db, redis, signals } = parts
  const feed = await createNotificationFeed(db)
  signals.on(orderNotificationsSent, feed.receive)
  closers.push(feed.close)
  const server = await buildServer({
    ...parts,
    config,
    reactions,
    productImports: createProductImports(pool, parts.importSeals, () =>
      signals.send(importsChanged),
    ),
    feed,
    positions: createPositions({
      readPositions: () => positionsOf(db),
      readHead: () => parts.eventStore.head(),
      progress: parts.progress,
    }),
    counters: createCounters(redis),
    mailBox: createMailBox(pool),
    notifyMailSender: () => signals.send(accountMailsQueued),
    notifyWebhookSender: () => signals.send(webhooksRequested),
  })
  closers.push(() => server.close())
  const { host, port } = config
  const address = await server.listen({ host, port }).catch((cause: unknown) => {
    throw new ConfigError(listenFault(cause, { host, port, setting: 'PORT' }), { cause })
  })
  return localUrl(host, Number(new URL(address).port))
}
