// A worker for one queue of mails: BullMQ jobs that claim, send and record due mails. The table is
// authoritative; Redis only signals that there is work.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectionOptions } from 'bullmq'
import { codeOf } from '../../../kit/errorCode.ts'
import type { Log } from '../../../ports/log.ts'
import type { Mailer } from '../../../ports/mail.ts'
import type { Metrics } from '../../../ports/metrics.ts'
import type { Tracing } from '../../../ports/tracing.ts'
import { onceAtATime, startJobQueue } from '../../jobs/jobQueue.ts'
import type { DraftFor } from './draft.ts'
import type { MailLimits } from './limits.ts'
import type { Outage } from './outage.ts'
import {
  type Addressed,
  type ClaimedMail,
  type MailKey,
  type MailQueue,
  nameOf,
  type Outcome,
} from './queue.ts'
import { type PreparedDraft, type SendBatch, type Sending, sendBatch } from './send.ts'

export interface MailWorkerParts {
  /** Mails about accounts have a separate queue, so mails about orders never delay them. */
  account: boolean
  queue: MailQueue
  draftFor: DraftFor
  mailer: Mailer
  outage: Outage
  /** Undefined if there are no limits. */
  limits: MailLimits | undefined
  connection: ConnectionOptions
  metrics: Metrics
  tracing: Tracing
  log: Log
}

const sweepMs = 1_000
/** Few, so that a new mail does not wait for many. */
const dueMax = 240
/** Completed jobs that stay in the queue for inspection. */
const completedJobsKept = 100
/** Few, so that the orders and customers read by a job are current when it writes the mails. */
const mailsPerJob = 12
/** The most mails that are sent twice after a kill. */
const concurrentMails = 3

interface MailJob {
  mails: MailKey[]
}

/**
 * Starts the worker of a queue. `notify` enqueues due mails; so does a sweep every second, which
 * also finds retries and mails whose jobs were lost with Redis.
 */
export function startMailWorker(parts: MailWorkerParts) {
  const { account, log, outage } = parts
  const closing = new AbortController()
  const sending: Sending = { ...parts, signal: closing.signal, unrecorded: new Set() }
  const jobs = startJobQueue<MailJob>({
    ...parts,
    name: account ? 'account-mails' : 'mails',
    concurrency: 1,
    work: ({ mails }) => deliver(parts, sending, mails),
    naming: ({ mails }) => ({ mails: mails.length }),
  })
  async function enqueue(): Promise<void> {
    if (outage.isPaused() || (await jobs.waiting()) > 0) return
    const due = await parts.queue.due(account, dueMax)
    const batches = Array.from({ length: Math.ceil(due.length / mailsPerJob) }, (_, part) => {
      const mails = due.slice(part * mailsPerJob, (part + 1) * mailsPerJob)
      return { name: 'send', data: { mails } }
    })
    await jobs.add(batches, { keepDone: completedJobsKept })
  }
  const enqueuing = onceAtATime(() =>
    enqueue().catch(error => log.warn({ error: codeOf(error) }, 'mails not queued yet')),
  )
  jobs.onDrained(enqueuing.notify)
  outage.onResume(enqueuing.notify)
  const sweep = setInterval(enqueuing.notify, sweepMs)
  enqueuing.notify()
  return {
    notify: enqueuing.notify,
    async close() {
      clearInterval(sweep)
      closing.abort()
      await enqueuing.settled()
      await jobs.close()
    },
  }
}

/** Sends mails, a few concurrently. Mails that are not sent stay due. */
async function deliver(parts: MailWorkerParts, sending: Sending, keys: readonly MailKey[]) {
  const { draftFor, outage, queue } = parts
  if (outage.isPaused()) return
  // Prepared concurrently to share round trips. An error concerns its own mail only.
  const looked = await Promise.all(keys.map(key => prepareDraft(draftFor, key)))
  const drafts = new Map(keys.map((key, index) => [nameOf(key), looked[index]]))
  const free = keys.filter(key => !sending.unrecorded.has(nameOf(key)))
  const mails = free.map((key): Addressed => {
    const found = drafts.get(nameOf(key))
    const draft = found !== undefined && 'draft' in found ? found.draft : undefined
    return { key, recipient: draft?.recipient ?? null }
  })
  for (const group of groupsOf(mails)) {
    if (sending.signal.aborted || outage.isPaused()) return
    const beginBefore = performance.now() + (queue.claimSeconds * 1_000 * 3) / 4
    const claimed = await queue.claim(group)
    if (claimed.length === 0) continue
    const stop = renewClaims(parts, claimed)
    try {
      await sendClaimed(parts, sending, claimed, { drafts, beginBefore })
    } finally {
      stop()
    }
  }
}

/** Sends in small batches and records each batch before the next one. */
async function sendClaimed(
  { outage, queue }: MailWorkerParts,
  sending: Sending,
  claimed: readonly ClaimedMail[],
  wave: SendBatch,
): Promise<void> {
  for (let from = 0; from < claimed.length; from += concurrentMails) {
    const mails = claimed.slice(from, from + concurrentMails)
    // Earlier mails may have taken long; the rest are released without a failed attempt.
    const isLate = from > 0 && performance.now() > wave.beginBefore
    if (isLate || sending.signal.aborted || outage.isPaused()) {
      const left = claimed.slice(from).map(({ key }) => ({ key, why: null }))
      return record(sending, queue, left)
    }
    await record(sending, queue, await sendBatch(sending, mails, wave))
  }
}

async function prepareDraft(draftFor: DraftFor, key: MailKey): Promise<PreparedDraft> {
  try {
    return { draft: await draftFor(key) }
  } catch (failed) {
    return { failed }
  }
}

/**
 * Groups to claim with one statement each, in the given order. No group has two mails about one
 * order or to one recipient.
 */
function groupsOf(mails: readonly Addressed[]): Addressed[][] {
  const groups: Addressed[][] = []
  for (const mail of mails) {
    const group = groups.at(-1)
    const isFree = group?.every(other => !mustNotOverlap(mail, other))
    if (group !== undefined && isFree) group.push(mail)
    else groups.push([mail])
  }
  return groups
}

function mustNotOverlap(mail: Addressed, other: Addressed): boolean {
  const isSameOrder = mail.key.order_id !== null && mail.key.order_id === other.key.order_id
  return isSameOrder || (mail.recipient !== null && mail.recipient === other.recipient)
}

/** Renews claims while this process lives, however slow the server is. */
function renewClaims(
  { queue, log }: MailWorkerParts,
  claimed: readonly { key: MailKey }[],
): () => void {
  const renewing = setInterval(
    () => {
      queue
        .renew(claimed.map(({ key }) => key))
        .catch(error => log.warn({ error: codeOf(error) }, 'claims of mails not renewed yet'))
    },
    (queue.claimSeconds * 1_000) / 4,
  )
  return () => clearInterval(renewing)
}

const recordPauseMaxMs = 1_000
/** At shutdown, recording is retried only this often. */
const recordTriesAtEnd = 5

/**
 * Records outcomes and retries until that succeeds: an unrecorded mail would be sent again. Until
 * then this process does not send it, even if its claim has expired.
 */
async function record(
  { signal, log, unrecorded }: Sending,
  queue: MailQueue,
  outcomes: readonly Outcome[],
): Promise<void> {
  for (const { key } of outcomes) unrecorded.add(nameOf(key))
  for (let tries = 1, atEnd = 0; ; tries += 1) {
    try {
      await queue.record(outcomes)
      break
    } catch (error) {
      if (tries === 1) log.error({ error: codeOf(error) }, 'sent mails not recorded yet')
      if (signal.aborted) atEnd += 1
      if (atEnd >= recordTriesAtEnd) throw error
      await sleep(Math.min(recordPauseMaxMs, 50 * 2 ** tries))
    }
  }
  for (const { key } of outcomes) unrecorded.delete(nameOf(key))
}
