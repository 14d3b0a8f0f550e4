// A lane of the queue of mails: BullMQ jobs that claim, send and settle what is due. The table is
// the truth, Redis only says that there is something to look at.
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
import { type Looked, type Sending, sendWave, type Wave } from './send.ts'

export interface MailWorkerParts {
  /** Mails about accounts have a lane of their own: mails about orders never delay them. */
  account: boolean
  queue: MailQueue
  draftFor: DraftFor
  mailer: Mailer
  outage: Outage
  /** Undefined where there are none. */
  limits: MailLimits | undefined
  connection: ConnectionOptions
  metrics: Metrics
  tracing: Tracing
  log: Log
}

const sweepMs = 1_000
/** Few, so that a mail that comes next does not wait for many. */
const dueMax = 240
/** Jobs that are done, for those who look at the queue. */
const keptJobs = 100
/** A job is short, so that what it has read of orders and people is not old when it writes them. */
const jobMax = 12
/** At most so many mails go out twice after a kill. */
const atOnce = 3

interface MailJob {
  mails: MailKey[]
}

/**
 * Starts a lane. `wake` looks at what is due; so does a sweep every second, which also brings back
 * what waits for its next attempt and what a lost Redis has forgotten.
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
    const batches = Array.from({ length: Math.ceil(due.length / jobMax) }, (_, part) => {
      const mails = due.slice(part * jobMax, (part + 1) * jobMax)
      return { name: 'send', data: { mails } }
    })
    await jobs.add(batches, { keepDone: keptJobs })
  }
  const enqueuing = onceAtATime(() =>
    enqueue().catch(error => log.warn({ error: codeOf(error) }, 'mails not queued yet')),
  )
  jobs.onDrained(enqueuing.wake)
  outage.onResume(enqueuing.wake)
  const sweep = setInterval(enqueuing.wake, sweepMs)
  enqueuing.wake()
  return {
    wake: enqueuing.wake,
    async close() {
      clearInterval(sweep)
      closing.abort()
      await enqueuing.settled()
      await jobs.close()
    },
  }
}

/** Sends mails, a few at once. What is left stays due. */
async function deliver(parts: MailWorkerParts, sending: Sending, keys: readonly MailKey[]) {
  const { draftFor, outage, queue } = parts
  if (outage.isPaused()) return
  // Looked up together they share round trips. What one of them throws is that one's trouble.
  const looked = await Promise.all(keys.map(key => look(draftFor, key)))
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
    const stop = keepClaims(parts, claimed)
    try {
      await sendClaimed(parts, sending, claimed, { drafts, beginBefore })
    } finally {
      stop()
    }
  }
}

/** Sends a few at a time and records each of these waves before the next one begins. */
async function sendClaimed(
  { outage, queue }: MailWorkerParts,
  sending: Sending,
  claimed: readonly ClaimedMail[],
  wave: Wave,
): Promise<void> {
  for (let from = 0; from < claimed.length; from += atOnce) {
    const mails = claimed.slice(from, from + atOnce)
    // Mails before it may have taken long: that is no fault of those that are left.
    const isLate = from > 0 && performance.now() > wave.beginBefore
    if (isLate || sending.signal.aborted || outage.isPaused()) {
      const left = claimed.slice(from).map(({ key }) => ({ key, why: null }))
      return record(sending, queue, left)
    }
    await record(sending, queue, await sendWave(sending, mails, wave))
  }
}

async function look(draftFor: DraftFor, key: MailKey): Promise<Looked> {
  try {
    return { draft: await draftFor(key) }
  } catch (failed) {
    return { failed }
  }
}

/**
 * Groups that are claimed with one statement: in the given order, and never two about one order or
 * to one recipient in a group.
 */
function groupsOf(mails: readonly Addressed[]): Addressed[][] {
  const groups: Addressed[][] = []
  for (const mail of mails) {
    const group = groups.at(-1)
    const isFree = group?.every(other => !isOneAfterTheOther(mail, other))
    if (group !== undefined && isFree) group.push(mail)
    else groups.push([mail])
  }
  return groups
}

function isOneAfterTheOther(mail: Addressed, other: Addressed): boolean {
  const isSameOrder = mail.key.order_id !== null && mail.key.order_id === other.key.order_id
  return isSameOrder || (mail.recipient !== null && mail.recipient === other.recipient)
}

/** A server that takes its time does not cost the claim, as long as this process lives. */
function keepClaims(
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
/** A process that ends does not wait for a database that is away. */
const recordTriesAtEnd = 5

/**
 * Records what has become of mails, as often as it takes: a mail that was sent and is not recorded
 * would be sent again. Until then this process does not send it, whoever has the claim.
 */
async function record(
  { signal, log, unrecorded }: Sending,
  queue: MailQueue,
  outcomes: readonly Outcome[],
): Promise<void> {
  for (const { key } of outcomes) unrecorded.add(nameOf(key))
  for (let tries = 1, atEnd = 0; ; tries += 1) {
    try {
      await queue.settle(outcomes)
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
