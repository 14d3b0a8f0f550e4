// Row 18. Path: appends through the port, 64 in flight, while another process signs the log as the
// workers do. Limit: the same while nobody signs. Bar: at least 95 % of it.
import { randomUUID } from 'node:crypto'
import { postgresEventStore } from '../src/eventstore/postgres/postgres.ts'
import { settingsOn } from './app.ts'
import type { Bench } from './benchmark.ts'
import { startHelper } from './child.ts'
import { closing } from './closing.ts'
import { interleave, judge, type Report, rate, roundsFor } from './harness.ts'
import { sampleEvent } from './rawLog.ts'

export interface ChainOrder {
  sign: boolean
  settings: Record<string, string>
}

const signed = 'append, 64 in flight, signed meanwhile'
const unsigned = 'append, 64 in flight, not signed'

/** Tells an order to sign from whatever else could arrive between processes. */
export function isChainOrder(message: unknown): message is ChainOrder {
  return typeof message === 'object' && message !== null && 'sign' in message
}

export function chain({ database, quick }: Bench): Promise<Report> {
  return closing(async closers => {
    const store = postgresEventStore(database.pool)
    closers.push(store.close)
    database.clock.watchAlone('Node', process.pid)
    const keeper = startHelper('chainKeeper.ts')
    closers.push(keeper.stop)
    database.clock.watch('signer', keeper.pid)
    const append = () => store.append(`at-${randomUUID()}`, 'no-stream', [sampleEvent()])
    const measure = async (sign: boolean) => {
      const answer = await keeper.ask({ sign, settings: settingsOn(database) })
      if (!JSON.stringify(answer).includes('signing')) throw new Error(JSON.stringify(answer))
      return rate({ total: quick ? 10_000 : 20_000, inFlight: 64 }, append)
    }
    const unit = 'events/s'
    const candidates = [
      { name: unsigned, unit, run: () => measure(false) },
      { name: signed, unit, run: () => measure(true) },
    ]
    // What is asked for is less than what a round differs from the next: many short ones tell.
    const rounds = quick ? roundsFor(quick) : { warmups: 2, rounds: 25 }
    const measured = await interleave(candidates, rounds, database.clock)
    await keeper.ask({ sign: false, settings: settingsOn(database) })
    const { rows } = await database.pool.query<{ count: bigint }>(
      'select coalesce(max(position), 0) as count from shop.audit_checkpoints',
    )
    const count = Number(rows[0]?.count ?? 0)
    if (count === 0) throw new Error('nothing was signed')
    const asked = { row: 18, path: signed, of: signed, to: unsigned, bar: { atLeast: 0.95 } }
    const notes = [`${count.toLocaleString('en-GB')} events were signed meanwhile`]
    return { name: 'chain', measured, verdicts: [judge(measured, asked)], notes }
  })
}
