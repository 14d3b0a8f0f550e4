// Looks at what the hash chain does not cover and commands rest on all the same: rows outside of
// the log, snapshots, credentials, keys, and what makes the database keep the log.

import { codeOf } from '../../kit/errorCode.ts'
import type { StateFinding, StateGuard } from '../../ports/audit.ts'
import type { Secrets } from '../crypto/secrets.ts'
import { atOneMoment, type Pool, type Session } from '../postgres/database.ts'
import { catalogFindings } from './catalogGuard.ts'
import { personFindings } from './personGuard.ts'
import { rowFindings } from './rowGuard.ts'

export interface GuardOptions {
  /** Whether the log is in this database, too. */
  holdsLog: boolean
  /** Of the shop, where it is known. */
  currency?: string | undefined
  /** How long the destruction of a key may take after its event; 2 seconds. */
  graceMs?: number
}

const graceMs = 2_000

/** The guard of a database. What it gives is read in one transaction that sees one moment. */
export function createStateGuard(pool: Pool, secrets: Secrets, options: GuardOptions): StateGuard {
  return {
    async *findings(log) {
      yield* atOneMoment(pool, async function* (session) {
        // Slow reads block no writer.
        await session.query(`set local statement_timeout = '10min'`)
        for (const [what, findings] of looks(session, secrets, options)) {
          yield* unlessUnreadable(session, what, findings())
        }
      })
      const deps = { pool, secrets, log, graceMs: options.graceMs ?? graceMs }
      yield* unlessUnreadable(undefined, 'people', personFindings(deps))
    },
    async countAfter(position) {
      if (!options.holdsLog) return undefined
      const { rows } = await pool.query<{ events: bigint }>({
        text: 'select count(*) as events from eventstore.events where position > $1',
        values: [position],
      })
      return Number(rows[0]?.events ?? 0)
    },
  }
}

type Findings = AsyncGenerator<StateFinding>

function looks(
  session: Session,
  secrets: Secrets,
  { holdsLog, currency }: GuardOptions,
): [what: string, findings: () => Findings][] {
  const inLog: [string, () => Findings][] = [['the log', () => logFindings(session)]]
  return [
    ...(holdsLog ? inLog : []),
    ['the catalogue', () => catalogFindings(session)],
    ...rowFindings(session, secrets, { holdsLog, currency }),
  ]
}

/** Tables and columns that are gone, or of which others are in the place, are a finding, too. */
async function* unlessUnreadable(
  session: Session | undefined,
  what: string,
  findings: Findings,
): Findings {
  await session?.query('savepoint look')
  try {
    yield* findings
  } catch (error) {
    // What was asked for is not there, cannot be asked for, or is not what it has to be.
    if (!(error instanceof Error) || !/^(22|42|P0|XX)/.test(codeOf(error))) throw error
    await session?.query('rollback to savepoint look')
    yield { check: 'what commands rest on can be read', key: what, detail: error.message }
  }
}

/** What no reader of the whole log comes to see, and readers of streams do. */
async function* logFindings(session: Session): AsyncGenerator<StateFinding> {
  const outside = await session.query<{ key: string }>(`
    select 'position ' || position || ', ' || stream || ' ' || revision as key
    from (
      select position, stream, revision from eventstore.events where position <= 0
      union all
      select position, stream, revision
      from eventstore.events where revision < 0 and position > 0
    ) as found
    order by position desc
    limit 1000`)
  for (const { key } of outside.rows) {
    const detail = 'An event stands where the chain does not look; commands would obey it.'
    yield { check: 'every event is in the chain', key, detail }
  }
  const broken = await session.query<{ key: string }>(`
    select stream as key
    from eventstore.events
    group by stream
    having count(*) <> max(revision) + 1 or min(revision) <> 0
    order by stream
    limit 1000`)
  for (const { key } of broken.rows) {
    const detail = 'Its revisions do not count from 0 without a gap or a repetition.'
    yield { check: 'every stream is whole', key, detail }
  }
  const { rows } = await session.query<{ gaps: bigint }>(`
    select coalesce(max(position), 0) - count(*) filter (where position > 0) as gaps
    from eventstore.events`)
  const gaps = rows[0]?.gaps ?? 0n
  if (gaps !== 0n) {
    const detail = `${gaps} positions up to the newest one have no event, or more than one.`
    yield { check: 'positions have no gap', key: 'eventstore.events', detail }
  }
  yield* indexFindings(session)
}

/** Conditions that every row meets, and the indexes that the database looks them up in. */
const inIndexes: readonly [index: string, condition: string][] = [
  ['events_pkey', `position >= '${-(2n ** 63n)}'`],
  ['events_stream_revision', `stream >= ''`],
  ['events_event_id', `event_id >= '00000000-0000-0000-0000-000000000000'`],
]
const byIndex = 'set local enable_seqscan = off; set local enable_bitmapscan = off'
const byTable = `set local enable_indexscan = off; set local enable_indexonlyscan = off;
  set local enable_bitmapscan = off`

/**
 * Streams are read by one index and the log by another: a row that was written while one of them
 * was switched off is seen by some readers and not by others.
 */
async function* indexFindings(session: Session): AsyncGenerator<StateFinding> {
  const count = async (settings: string, condition: string) => {
    await session.query('savepoint counting')
    await session.query(settings)
    const counting = `select count(*) as rows from eventstore.events where ${condition}`
    const { rows } = await session.query<{ rows: bigint }>(counting)
    await session.query('rollback to savepoint counting')
    return rows[0]?.rows ?? 0n
  }
  const all = await count(byTable, 'true')
  for (const [index, condition] of inIndexes) {
    const known = await count(byIndex, condition)
    if (known === all) continue
    const detail = `It has ${known} of ${all} events: who reads by it does not see the others.`
    yield { check: 'indexes have every event', key: `index ${index}`, detail }
  }
}
