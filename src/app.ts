// Starts the parts of a shop in one process: the API, the workers, or both.
import { hostname } from 'node:os'
import { type Logger, pino } from 'pino'
import { createNotificationFeed } from './api/feed.ts'
import { buildServer } from './api/server.ts'
import type { FileStore, Imaging } from './commands/imagePorts.ts'
import { type Config, localUrl } from './config.ts'
import { createAnswerCache } from './infra/answerCache.ts'
import { createCheckpointBook } from './infra/auditBook.ts'
import { createDatabase, createPool } from './infra/database.ts'
import { createFileStore } from './infra/fileStore.ts'
import { createImaging } from './infra/imaging.ts'
import { createMailer } from './infra/mailer.ts'
import { createProductImports } from './infra/productImports.ts'
import { createCounters } from './infra/rateLimits.ts'
import { assertKeepsJobs, createRedis, createSignals, redisOptions } from './infra/redis.ts'
import { createWebhookSender } from './infra/webhookSender.ts'
import type { Metrics } from './metrics.ts'
import { createWatching } from './observe.ts'
import { openShop } from './openShop.ts'
import { projections } from './projections/index.ts'
import { seedCatalogue } from './sampleCatalogue.ts'
import type { Tracing } from './tracing.ts'
import { accountUpkeep, startAccountSweep } from './workers/accountUpkeep.ts'
import { startAuditChain } from './workers/auditChain.ts'
import { startImageJobs } from './workers/images/jobs.ts'
import { imageOutbox } from './workers/images/outbox.ts'
import { openQueues } from './workers/jobQueue.ts'
import { type AccountMailParts, startAccountMails } from './workers/mails/accountMails.ts'
import { startMailJobs } from './workers/mails/jobs.ts'
import { mailOutbox } from './workers/mails/outbox.ts'
import { observedProjection } from './workers/observed.ts'
import { startOrderProcesses } from './workers/orderProcesses.ts'
import { startProductImports } from './workers/productImports/jobs.ts'
import { createProgress } from './workers/progress.ts'
import { startProjector } from './workers/projector.ts'
import { startWebhookJobs } from './workers/webhooks/jobs.ts'
import { webhookOutbox } from './workers/webhooks/outbox.ts'

export interface Parts {
  api: boolean
  workers: boolean
}

export interface Running {
  url: string
  /** Lets requests under way end, then everything else, each in its turn. */
  close(): Promise<void>
}

// Sessions of the workers beside one for each projection: mails, imports, order processes, the hash
// chain.
const workerSessions = 7

/** The channel on which projectors call those who follow orders live. */
const notified = 'orderstream:notified'
/** The channel on which the API calls those who send mails about accounts. */
const accountMailsQueued = 'orderstream:account-mails'
/** The channel on which the API calls the importer. */
const importsChanged = 'orderstream:imports'
/** The channel on which the API calls those who send webhooks. */
const webhooksWanted = 'orderstream:webhooks'

/**
 * Starts what is wanted of the shop and resolves once it serves. `say` is told of the few things an
 * operator wants to see. Throws what keeps it from starting, with everything stopped again.
 */
export async function startApp(
  config: Config,
  parts: Parts,
  say: (line: string) => void = () => undefined,
): Promise<Running> {
  const closers: (() => Promise<unknown> | unknown)[] = []
  const close = async () => {
    for (const stop of closers.splice(0).reverse()) await stop()
  }
  try {
    return { url: await start(config, parts, { closers, say }), close }
  } catch (error) {
    await close()
    throw error
  }
}

interface Starting {
  closers: (() => Promise<unknown> | unknown)[]
  say(line: string): void
}

async function start(config: Config, parts: Parts, { closers, say }: Starting): Promise<string> {
  const log = pino({ level: config.logLevel })
  const watching = createWatching(config, parts.api ? 'api' : 'worker')
  closers.push(watching.close)
  const open = await openShop(config, watching)
  closers.push(open.close)
  const redis = createRedis(config.redisUrl.reveal())
  closers.push(() => redis.disconnect())
  await assertKeepsJobs(redis)
  const signals = createSignals(redis)
  closers.push(signals.close)
  const { metrics, tracing } = watching
  const answers = createAnswerCache(redis, metrics)
  const queues = openQueues(redis)
  closers.push(queues.close)
  await watching.serve(open, queues)
  const progress = createProgress()
  const images = { files: createFileStore(config.filesDirectory), imaging: createImaging() }

  if (parts.workers && parts.api) {
    // One process for everything is somebody trying the shop out.
    const seeded = await seedCatalogue(open)
    if (seeded > 0) say(`made a sample catalogue of ${seeded} products`)
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
    log,
    hasPort: parts.api,
  }
  if (parts.workers) await startWorkers(config, shared, closers)
  return parts.api ? serve(config, shared, closers) : localUrl(config.host, config.port)
}

/** Starts the API; the address that it serves at. */
async function serve(config: Config, parts: WorkerParts, closers: Starting['closers']) {
  const { pool, db, redis, signals } = parts
  const feed = await createNotificationFeed(db)
  signals.on(notified, feed.wake)
  closers.push(feed.close)
  const server = await buildServer({
    ...parts,
    config,
    productImports: createProductImports(pool, () => signals.send(importsChanged)),
    feed,
    counters: createCounters(redis),
    wakeMailers: () => signals.send(accountMailsQueued),
    sender: senderOf(config),
    wakeWebhooks: () => signals.send(webhooksWanted),
  })
  closers.push(() => server.close())
  const address = await server.listen({ host: config.host, port: config.port })
  return localUrl(config.host, Number(new URL(address).port))
}

type WorkerParts = Awaited<ReturnType<typeof openShop>> & {
  files: FileStore
  imaging: Imaging
  redis: ReturnType<typeof createRedis>
  signals: ReturnType<typeof createSignals>
  answers: ReturnType<typeof createAnswerCache>
  progress: ReturnType<typeof createProgress>
  queues: ReturnType<typeof openQueues>['queues']
  metrics: Metrics
  tracing: Tracing
  log: Logger
  hasPort: boolean
}

/**
 * A process that has a port to itself has a name that survives its death, so that it goes on at
 * once when it comes back; worker processes can be many, and wait for a dead one's lease to end.
 */
function runnerName({ port }: Config, hasPort: boolean): string {
  return hasPort && port !== 0 ? `${hostname()}:${port}` : `${hostname()}/${process.pid}`
}

async function startWorkers(config: Config, parts: WorkerParts, closers: Starting['closers']) {
  const { shop, eventStore, codec, answers, signals, progress, log } = parts
  // Projections keep sessions busy all the time: they have a pool of their own, so that no command
  // waits for them.
  const pool = createPool(config.databaseUrl.reveal(), {
    size: projections.length + workerSessions,
    applicationName: 'orderstream-workers',
  })
  closers.push(() => pool.end())
  const db = createDatabase(pool)
  const mailer = createMailer(config.smtpUrl.reveal(), config.mailFrom)
  closers.push(() => mailer.close())
  const connection = redisOptions(config.redisUrl.reveal())
  const mails = startMailJobs({ ...parts, db, mailer, connection, shopName: config.shopName })
  closers.push(() => mails.close())
  const images = startImageJobs({ ...parts, db, connection })
  closers.push(() => images.close())
  startAccountWork(config, { ...parts, mailer, connection }, closers)
  const webhooks = startWebhookJobs({
    ...parts,
    db,
    connection,
    sender: senderOf(config),
    patience: config.webhookPatience,
  })
  signals.on(webhooksWanted, webhooks.wake)
  closers.push(() => webhooks.close())
  const imports = startProductImports({ db, shop, eventStore, codec, connection, log })
  signals.on(importsChanged, imports.wake)
  closers.push(() => imports.close())
  const audit = { ...parts.audit, book: createCheckpointBook(pool) }
  const chain = startAuditChain({ ...parts, audit })
  closers.push(() => chain.stop())
  const processes = startOrderProcesses({ db, shop, log })
  closers.push(() => processes.stop())
  const projector = startProjector({
    db,
    eventStore,
    codec,
    projections: [...projections, ...reactions].map(each => observedProjection(each, parts)),
    runner: runnerName(config, parts.hasPort),
    progress,
    log,
    async onCommitted(committed) {
      if (committed.listingsChanged) await answers.invalidate()
      if (committed.notified) signals.send(notified)
      if (committed.mailsQueued) mails.wake()
      if (committed.imagesQueued) images.wake()
      if (committed.webhooksQueued) webhooks.wake()
    },
  })
  closers.push(() => projector.stop())
}

/** What follows the log like a projection, and owns nothing that a rebuild could drop. */
const reactions = [mailOutbox, imageOutbox, accountUpkeep, webhookOutbox]

function senderOf({ webhookAllowedNetworks: allowedNetworks }: Config) {
  return createWebhookSender({ allowedNetworks })
}

function startAccountWork(
  { shopName, publicUrl, resetPageUrl }: Config,
  parts: WorkerParts & Pick<AccountMailParts, 'mailer' | 'connection'>,
  closers: Starting['closers'],
) {
  const resetPage = resetPageUrl ?? `${publicUrl}/reset-password`
  const mails = startAccountMails({ ...parts, shopName, resetPage })
  parts.signals.on(accountMailsQueued, mails.wake)
  closers.push(() => mails.close())
  const sweep = startAccountSweep(parts)
  closers.push(() => sweep.stop())
}
