// Keeps a process from writing to another log than its own, and from believing what one holds.
import { BrokenStream, ForeignLog, type SubscriptionBatch } from '../../ports/eventStore.ts'
import type { EventLog } from '../../ports/logInspection.ts'
import type { createLogIdentity } from './logIdentity.ts'

type Checked = Pick<ReturnType<typeof createLogIdentity>, 'fault' | 'check' | 'checkedAt'>

/** What was read is believed at most so long after the log was looked at. */
const freshMs = 1_000

/**
 * The same store, which neither writes to another log nor hands on batches of one. That a stream is
 * empty or broken is believed only after a look at the log: in another one, each of them is. What
 * there is can be read: auditors have to see a log that was cut off, with the rights that it has.
 */
export function ownLogStore(store: EventLog, identity: Checked): EventLog {
  return {
    ...store,
    async append(stream, expected, events) {
      assertOwn(identity)
      return store.append(stream, expected, events)
    },
    async read(ranges) {
      const pages = await store.read(ranges).catch(error => explained(error, identity))
      const isEmpty = pages.some(({ events }, index) => {
        return events.length === 0 && (ranges[index]?.after ?? -1) < 0
      })
      if (isEmpty) await assertOwnNow(identity)
      return pages
    },
    assertOwn: () => assertOwnNow(identity),
    subscribe: options => ofOwnLog(store.subscribe(options), identity),
  }
}

function assertOwn(identity: Pick<Checked, 'fault'>): void {
  const fault = identity.fault()
  if (fault === undefined) return
  throw new ForeignLog(fault)
}

async function assertOwnNow(identity: Checked): Promise<void> {
  const isFresh = performance.now() - identity.checkedAt() < freshMs
  if (!isFresh) await identity.check()
  assertOwn(identity)
}

/** Throws the error that a read has ended with, or what explains it. */
async function explained(error: unknown, identity: Checked): Promise<never> {
  if (error instanceof BrokenStream) {
    await identity.check()
    assertOwn(identity)
  }
  throw error
}

/** Ends at the first batch of another log: its reader begins anew from what it has written down. */
async function* ofOwnLog(batches: AsyncIterable<SubscriptionBatch>, identity: Checked) {
  for await (const batch of batches) {
    const isFresh = performance.now() - identity.checkedAt() < freshMs
    if (identity.fault() !== undefined || !isFresh) await identity.check()
    const fault = identity.fault()
    if (fault !== undefined) throw new ForeignLog(fault)
    yield batch
  }
}
