// Checks the outbox against the log: a mail an event and template, none forgotten, none made up.
import { setTimeout } from 'node:timers/promises'
import { hasTemplate, isMailed, mailTemplates } from '../mails/outbox.ts'
import type { LogCheck } from './logCheck.ts'
import { keyOf, type MailRow, type Outbox } from './outboxRows.ts'
import type { Part } from './parts.ts'

export interface MailCheckParts {
  outbox: Outbox
  /** Waits until it is time to look again at what is queued; 5 seconds. */
  beforeLook?: () => Promise<unknown>
}

const standsStillMs = 5_000
/** As long as others are sent, a mail waits its turn; this often is looked in vain. */
const looksMax = 24

/**
 * A check that knows what the outbox holds of a part; mails due since a while may wait. Those that
 * failed are listed elsewhere: they wait for another attempt, or for somebody to look at them.
 */
export async function mailsAreOneAnEvent(parts: MailCheckParts, part: Part): Promise<LogCheck> {
  const { reached } = parts.outbox
  const outbox = new Map<string, MailRow>()
  for await (const row of parts.outbox.rowsOf(part)) outbox.set(keyOf(row), row)
  const accounted = new Set<string>()
  const waiting = new Map<string, MailRow>()
  let examined = 0
  return {
    name: 'one mail an event and template, sent',
    see(_, event) {
      if (event === undefined || !part.has(event.id) || !hasTemplate(event)) return []
      const key = `${event.id} ${mailTemplates[event.type]}`
      accounted.add(key)
      // Earlier releases wrote about some of these, too.
      if (!isMailed(event)) return []
      if (event.source !== undefined) {
        return outbox.has(key) ? [`${key}: history was mailed`] : []
      }
      examined += 1
      const mail = outbox.get(key)
      if (mail === undefined) return event.position <= reached ? [`${key}: never queued`] : []
      if (!mail.settled) waiting.set(key, mail)
      if (mail.order_id !== event.data.orderId) return [`${key}: is about another order`]
      return []
    },
    async *conclude() {
      for (const key of outbox.keys()) if (!accounted.has(key)) yield `${key}: no such event`
      for (const key of await stuck(parts, waiting)) yield `${key}: queued and not sent`
    },
    examined: () => examined,
  }
}

/** What is queued and stays so: looks again until nothing has been sent between two looks. */
async function stuck(
  { outbox, beforeLook = () => setTimeout(standsStillMs) }: MailCheckParts,
  waiting: ReadonlyMap<string, MailRow>,
): Promise<Iterable<string>> {
  let left = await outbox.unsettled(waiting)
  for (let inVain = 0; left.size > 0 && inVain < looksMax; ) {
    const before = outbox.stoodStillAt ?? (await outbox.lastSent())
    // Where nothing has been sent since a part was looked at, nothing is on its way.
    if (outbox.stoodStillAt === undefined) await beforeLook()
    const still = await outbox.unsettled(left)
    const now = await outbox.lastSent()
    if (still.size === left.size && now === before) {
      outbox.stoodStillAt = now
      return still.keys()
    }
    outbox.stoodStillAt = undefined
    inVain = still.size < left.size ? 0 : inVain + 1
    left = still
  }
  return left.keys()
}
