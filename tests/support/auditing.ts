// Holding a test shop to its books.

import type { RecordedEvent } from '../../src/eventstore/port.ts'
import type { OpenShop } from '../../src/openShop.ts'
import { positionOf } from '../../src/projections/checkpoints.ts'
import { projections } from '../../src/projections/index.ts'
import { audit } from '../../src/workers/audit/audit.ts'
import type { CheckResult } from '../../src/workers/audit/logCheck.ts'
import { waitFor } from './waitFor.ts'

/** Everything that an audit finds in a shop where nobody is at work any more. */
export async function findings(open: OpenShop): Promise<string[]> {
  return found(await audit({ ...open, projections }, new Date(Date.now() + 60_000)))
}

/** The findings of all checks, each with the name of its check. */
export function found(results: readonly CheckResult[]): string[] {
  return results.flatMap(({ check, findings: each }) => each.map(finding => `${check}: ${finding}`))
}

/** Waits until every projection has seen the whole log and every mail is out. */
export async function atRest(open: OpenShop, withinMs = 30_000): Promise<void> {
  const { db, eventStore, pool } = open
  const names = [...projections.map(({ name }) => name), 'mailOutbox']
  await waitFor(
    'the workers to come to rest',
    async () => {
      const head = await eventStore.head()
      const positions = await Promise.all(names.map(name => positionOf(db, name)))
      const { rows } = await pool.query<{ open: boolean }>(
        `select exists (select from shop.mails where state = 'due' or state = 'retrying')
          or exists (select from order_processes
            where submitted or paying or refund_due or cart_open or settling) as open`,
      )
      return positions.every(position => position === head) && rows[0]?.open === false
    },
    withinMs,
  )
}

/** Every event of the log. */
export async function wholeLog({ eventStore }: OpenShop): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const event of eventStore.readAll()) events.push(event)
  return events
}
