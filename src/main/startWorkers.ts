// Starts the workers. A file of its own, so that an API process does not load their modules, which
// take 20 MB.
import { hostname } from 'node:os'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import { createCheckpointBook } from '../infra/audit/checkpointBook.ts'
import {
  filePublisher,
  publicationBook,
  remotePublishers,
} from '../infra/audit/checkpointPublishers.ts'
import type { createResponseCache } from '../infra/caching/responseCache.ts'
import { createSecrets } from '../infra/crypto/secrets.ts'
import { createMailer } from '../infra/mail/mailer.ts'
import { pluginMailer } from '../infra/plugins/guards.ts'
import { createDatabase, createPool, type Pool } from '../infra/postgres/database.ts'
import type { createOwnWrites } from '../infra/redis/ownWrites.ts'
import { type createRedis, type createSignals, redisOptions } from '../infra/redis/redis.ts'
import type { createWebhookSender } from '../infra/webhooks/webhookSender.ts'
import type { Health } from '../ports/health.ts'
import type { FileStore, Imaging } from '../ports/images.ts'
import type { Mailer } from '../ports/mail.ts'
import type { Metrics } from '../ports/metrics.ts'
import type { Tracing } from '../ports/tracing.ts'
import { listingsChanged } from '../projections/catalogue/catalogue.ts'
import { publish, subscribe } from '../projections/core/signals.ts'
import { projections } from '../projections/index.ts'
import { notificationSender, orderNotifications } from '../projections/order/orderNotifications.ts'
import { startProductImports } from '../workers/imports/products/jobs.ts'
import { startAccountSweep } from '../workers/jobs/accountUpkeep.ts'
import { startAuditChain } from '../workers/jobs/auditChain.ts'
import {
  mailAlarm,
  mailPublisher,
  publishCheckpoints,
} from '../workers/jobs/checkpointPublishing.ts'
import type { openQueues } from '../workers/jobs/jobQueue.ts'
import { startOrderProcesses } from '../workers/jobs/orderProcesses.ts'
import { observed } from '../workers/projector/observed.ts'
import type { createProgress } from '../workers/projector/progress.ts'
import { startProjector } from '../workers/projector/projector.ts'
import { startImageJobs } from '../workers/reactions/image/jobs.ts'
import { imagesQueued } from '../workers/reactions/image/outbox.ts'
import { reactions } from '../workers/reactions/index.ts'
import { mailLimits } from '../workers/reactions/mail/limits.ts'
import { mailsQueued } from '../workers/reactions/mail/outbox.ts'
import { type MailParts, startMails } from '../workers/reactions/mail/start.ts'
import { startWebhookJobs } from '../workers/reactions/webhook/jobs.ts'
import { webhooksQueued } from '../workers/reactions/webhook/outbox.ts'
import {
  accountMailsQueued,
  importsChanged,
  orderNotificationsSent,
  webhooksRequested,
} from './channels.ts'
import type { openServices } from './openServices.ts'

// Database sessions of the workers in addition to one per projection: mails, imports, order
// processes, the hash chain.
const workerSessions = 7

/**
 * The owner name of leases. A process with a port of its own keeps its name across restarts and
 * resumes at once; other workers wait until the lease of a dead process has expired.
 */
function runnerName({ port }: Config, hasPort: boolean): string {
  return hasPort && port !== 0 ? `${hostname()}:${port}` : `${hostname()}/${process.pid}`
}

/** Starts them all; they stop with what is added to `closers`. */
export async function startWorkers(
  config: Config,
  deps: WorkerDeps,
  closers: StartContext['closers'],
): Promise<void> {
  const { app, eventStore, codec, answers, signals, progress, log } = deps
  // Projections keep sessions busy all the time: a pool of their own keeps commands from waiting.
  const pool = createPool(config.databaseUrl.reveal(), {
    size: projections.length + workerSessions,
    applicationName: 'orderstream-workers',
    pipeline: true,
    onFailure: deps.health.failed,
  })
  closers.push(() => pool.end())
  const db = createDatabase(pool)
  const connection = redisOptions(config.redisUrl.reveal())
  const mails = startMailWork(config, { ...deps, db, connection }, closers)
  const images = startImageJobs({ ...deps, db, connection })
  closers.push(() => images.close())
  const accountSweep = startAccountSweep({ ...deps, db })
  closers.push(() => accountSweep.stop())
  const webhooks = startWebhookJobs({
    ...deps,
    db,
    connection,
    retryPolicy: config.webhookRetryPolicy,
  })
  signals.on(webhooksRequested, webhooks.wake)
  closers.push(() => webhooks.close())
  const imports = startProductImports({ ...deps, db, connection })
  signals.on(importsChanged, imports.wake)
  closers.push(() => imports.close())
  startProof(config, { ...deps, pool }, closers)
  const processes = startOrderProcesses({ db, app, log })
  closers.push(() => processes.stop())
  const subscriptions = [
    subscribe(listingsChanged, () => answers.invalidate()),
    subscribe(
      orderNotifications,
      notificationSender(message => signals.send(orderNotificationsSent, message)),
    ),
    subscribe(mailsQueued, mails.notify),
    subscribe(imagesQueued, images.wake),
    subscribe(webhooksQueued, webhooks.wake),
  ]
  const projector = startProjector({
    db,
    eventStore,
    codec,
    projections: projections.map(each => observed(each, deps)),
    reactions: reactions.map(each => observed(each, deps)),
    runner: runnerName(config, deps.hasPort),
    progress,
    log,
    onCommitted: raised => publish(subscriptions, raised),
  })
  closers.push(() => projector.stop())
}

/** Signs the log, publishes checkpoints, and sends a mail on an alarm. */
function startProof(
  config: Config,
  deps: WorkerDeps & { pool: Pool },
  closers: StartContext['closers'],
) {
  const { audit: settings, shopName } = config
  const { pool, log, app } = deps
  // The thread of a mailer starts with its first mail.
  const mailer = mailerOf(config, deps)
  closers.push(() => mailer.close())
  const audit = { ...deps.audit, book: createCheckpointBook(pool) }
  const { mailTo: to } = settings
  const mails = to === undefined ? [] : [mailPublisher(mailer, to, shopName)]
  const publishing = {
    audit,
    file: filePublisher(settings.directory),
    publishers: [...remotePublishers(settings), ...mails],
    published: publicationBook(pool, createSecrets(config.secretKey)),
    everySeconds: settings.publishSeconds,
    log,
  }
  const chain = startAuditChain({
    ...deps,
    audit,
    onSigned: () => publishCheckpoints(publishing, app.clock.now()),
    async onAlarm(fault) {
      if (to !== undefined) await mailAlarm(mailer, { to, shopName }, fault)
    },
  })
  closers.push(() => chain.stop())
}

function mailerOf({ smtpUrl, mailFrom }: Config, { plugins }: WorkerDeps): Mailer {
  const { mail } = plugins
  return mail === undefined ? createMailer(smtpUrl.reveal(), mailFrom) : pluginMailer(mail)
}

function startMailWork(
  config: Config,
  deps: WorkerDeps & Pick<MailParts, 'connection' | 'db'>,
  closers: StartContext['closers'],
) {
  const mailer = mailerOf(config, deps)
  closers.push(() => mailer.close())
  const { shopName, publicUrl, resetPageUrl, timeZone, mailLanguage: language } = config
  const resetPage = resetPageUrl ?? `${publicUrl}/reset-password`
  const limits = config.rateLimits === 'off' ? undefined : mailLimits
  const confirmPage = `${publicUrl}/confirm-email`
  const words = { shopName, language, timeZone, publicUrl }
  const mails = startMails({ ...deps, ...words, mailer, resetPage, confirmPage, limits })
  deps.signals.on(accountMailsQueued, mails.notify)
  closers.push(() => mails.close())
  return mails
}

export interface StartContext {
  closers: (() => Promise<unknown> | unknown)[]
  onMessage(line: string): void
}

/** What the API and the workers share in a process. */
export type WorkerDeps = Awaited<ReturnType<typeof openServices>> & {
  files: FileStore
  imaging: Imaging
  redis: ReturnType<typeof createRedis>
  signals: ReturnType<typeof createSignals>
  answers: ReturnType<typeof createResponseCache>
  progress: ReturnType<typeof createProgress>
  queues: ReturnType<typeof openQueues>['queues']
  metrics: Metrics
  tracing: Tracing
  health: Health
  log: Logger
  ownWrites: ReturnType<typeof createOwnWrites>
  sender: ReturnType<typeof createWebhookSender>
  hasPort: boolean
}
