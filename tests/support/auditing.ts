// Holding a test shop to its books.

import type { AppServices } from '../../src/main/openServices.ts'
import type { RecordedEvent } from '../../src/ports/eventStore.ts'
import { positionOf } from '../../src/projections/core/checkpoints.ts'
import { projections } from '../../src/projections/index.ts'
import { audit } from '../../src/workers/audit/audit.ts'
import type { CheckResult } from '../../src/workers/audit/logCheck.ts'
import { waitFor } from './waitFor.ts'

/** Everything that an audit finds in a shop where nobody is at work any more. */
export async function findings(open: AppServices): Promise<string[]> {
  const parts = { ...open, projections, beforeRecheck: async () => undefined }
  return found(await audit(parts, new Date(Date.now() + 60_000)))
}

/** The findings of all checks, each with the name of its check. */
export function found(results: readonly CheckResult[]): string[] {
  return results.flatMap(({ check, findings: each }) => each.map(finding => `${check}: ${finding}`))
}

/** Waits until every projection has seen the whole log and every mail is out. */
export async function atRest(open: AppServices, withinMs = 30_000): Promise<void> {
  let left: string[] = []
  await waitFor(
    'the workers to come to rest',
    async () => {
      left = await unfinished(open)
      return left.length === 0
    },
    withinMs,
  ).catch(error => {
    throw new Error(`${error.message}: ${left.join(', ')}`)
  })
}

/** What the workers still have to do, in plain words. */
async function unfinished({ db, eventStore, pool }: AppServices): Promise<string[]> {
  const names = [...projections.map(({ name }) => name), 'mailOutbox']
  const head = await eventStore.head()
  const positions = await Promise.all(names.map(name => positionOf(db, name)))
  const { rows } = await pool.query<{ what: string }>(
    `select 'a mail is ' || state || ': ' || coalesce(last_error, 'not tried') as what
      from shop.mails where state in ('due', 'retrying')
    union all
    select 'an order is on its way: ' || row_to_json(p)::text
      from order_processes p
      left join orders o using (order_id)
      where submitted or paying or refund_due or cart_open
        or settling and (o.status is null or o.status not in ('pending', 'paid'))`,
  )
  const behind = names.filter((_, index) => positions[index] !== head)
  return [...behind.map(name => `${name} is behind`), ...rows.map(({ what }) => what)]
}

/** Every event of the log. */
export async function wholeLog({ eventStore }: AppServices): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const event of eventStore.readAll()) events.push(event)
  return events
}
