// Sends the newest checkpoint away from the machine, and tells somebody when the log was tampered
// with.

import { randomUUID } from 'node:crypto'
import type { Fault } from '../../audit/chainFault.ts'
import { codeOf } from '../../kit/errorCode.ts'
import { startOfLog } from '../../kit/position.ts'
import type { AuditServices, PublicationBook, Publisher } from '../../ports/audit.ts'
import type { Log } from '../../ports/log.ts'
import type { Mail, Mailer } from '../../ports/mail.ts'

export interface PublishingDeps {
  audit: AuditServices
  /** Gets each checkpoint. */
  file: Publisher
  /** Get the newest one, `everySeconds`. */
  publishers: readonly Publisher[]
  published: PublicationBook
  everySeconds: number
  log: Log
}

/**
 * Publishes what has not been: to the file every checkpoint behind the last one that went there, to
 * the others the newest one when it is time. What fails is tried again with the next call.
 */
export async function publishCheckpoints(deps: PublishingDeps, now: Date): Promise<void> {
  await publishAll(deps).catch(error => warn(deps.log, deps.file.name, error))
  const newest = await deps.audit.book.last()
  if (newest === undefined) return
  const { position, signed } = newest
  await Promise.all(
    deps.publishers.map(async publisher => {
      try {
        const last = await deps.published.newest(publisher.name)
        const isDue =
          last === undefined || now.getTime() - last.at.getTime() >= deps.everySeconds * 1_000
        if (!isDue || last?.position === position) return
        const receipt = await publisher.publish({ position, signed })
        await deps.published.note(publisher.name, position, receipt)
      } catch (error) {
        warn(deps.log, publisher.name, error)
      }
    }),
  )
}

const pageSize = 100

async function publishAll({ audit, file, published }: PublishingDeps): Promise<void> {
  let after = (await published.newest(file.name))?.position ?? startOfLog
  for (;;) {
    const page = await audit.book.after(after, pageSize)
    for (const { position, signed } of page) {
      await file.publish({ position, signed })
      after = position
    }
    if (page.length > 0) await published.note(file.name, after, undefined)
    if (page.length < pageSize) return
  }
}

function warn(log: Log, target: string, error: unknown): void {
  const reason = error instanceof Error ? error.message : codeOf(error)
  log.warn({ target, error: reason }, 'a checkpoint has not left the machine yet')
}

/** Mails checkpoints to an auditor. */
export function mailPublisher(mailer: Mailer, to: string, shopName: string): Publisher {
  return {
    name: 'mail',
    async publish({ position, signed }) {
      const text =
        `The log of ${shopName} is signed up to position ${position}. Keep this mail: with it\n` +
        `npm run verify-export finds out whether the log was changed later (docs/audit.md).\n\n` +
        `${JSON.stringify({ position: String(position), signed })}\n`
      const subject = `${shopName}: checkpoint ${position} of the log`
      await sendNow(mailer, { id: `checkpoint-${position}`, to, subject, text, html: pre(text) })
      return undefined
    },
  }
}

/** Sends an alarm by mail: nothing is signed until an operator has resolved it. */
export async function mailAlarm(
  mailer: Mailer,
  { to, shopName }: { to: string; shopName: string },
  { problem, position, detail }: Fault,
): Promise<void> {
  const text =
    `The log of ${shopName} is not signed any more: ${problem} at position ${position}.\n` +
    `${detail}\n\nGET /api/audit/verify says more, and docs/audit.md what to do.\n`
  const subject = `${shopName}: the log was tampered with`
  const id = `audit-alarm-${randomUUID()}`
  await sendNow(mailer, { id, to, subject, text, html: pre(text) })
}

const beginWithinMs = 30_000

async function sendNow(mailer: Mailer, mail: Mail): Promise<void> {
  const result = await mailer.send(mail, beginWithinMs)
  if (!result.accepted) throw new Error(`the mail was not taken: ${result.code}`)
}

function pre(text: string): string {
  const safe = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<pre>${safe}</pre>`
}
