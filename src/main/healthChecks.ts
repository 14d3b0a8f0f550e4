// Looks all the time whether the servers answer, over the connections that commands use.

import { setTimeout as sleep } from 'node:timers/promises'
import { streamPrefixes } from '../domain/index.ts'
import type { LogIdentity } from '../infra/log/logIdentity.ts'
import type { Database, Pool } from '../infra/postgres/database.ts'
import { type Redis, redisCode } from '../infra/redis/redis.ts'
import { Overdue, withDeadline } from '../kit/deadline.ts'
import { firstOf } from '../kit/firstOf.ts'
import { type Position, startOfLog } from '../kit/position.ts'
import { codesOf, stateOf } from '../kit/transient.ts'
import { type EventStore, ForeignLog, readStream } from '../ports/eventStore.ts'
import { createHealth, type Health, type HealthLog } from '../ports/health.ts'
import type { Metrics } from '../ports/metrics.ts'
import { projections } from '../projections/index.ts'
import { projectionStates } from '../projections/order/orderQueries.ts'

export interface Checked {
  pool: Pool
  db: Database
  eventStore: EventStore
  logIdentity: Pick<LogIdentity, 'check'>
  /** Whether the events are elsewhere than in PostgreSQL. */
  isStoreApart: boolean
  redis: Redis
  /** Of cached answers, where that is another one. */
  cache: Redis | undefined
}

const everyMs = 1_000
const deadlineMs = 2_000
/** A deadline that fires this late means that the process was suspended. */
const stoodStillMs = 200
/** A failed write is reported for at least this long. */
const writeTroubleMs = 3_000
/** Answers in a row before PostgreSQL counts as healthy: one may use the only good connection. */
const healthyAnswers = 2
/** Rounds between two checks of the read models. */
const projectionRounds = 10
const lagMaxMs = 30_000

/** SQLSTATEs of lasting conditions, and the dependency that each is about. */
const lasting: Readonly<Record<string, { dependency: 'disk' | 'postgres'; reason: string }>> = {
  '53100': { dependency: 'disk', reason: 'disk full' },
  '58030': { dependency: 'disk', reason: 'input/output error' },
  '25006': { dependency: 'postgres', reason: 'read-only' },
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses connections',
  ECONNRESET: 'closes connections',
  ETIMEDOUT: 'silent',
  UNAVAILABLE: 'no session to be had',
  ENOTFOUND: 'unknown host',
  USER_REFUSED: 'refuses the user',
  '53300': 'too many connections',
  '57P01': 'shutting down',
  '57P02': 'restarting after a crash',
  '57P03': 'starting',
}

/** The last lasting write failure of PostgreSQL. */
interface PostgresState {
  failedAt: number
  state: string | undefined
  /** Answers since the last failure. */
  answers: number
}

/** Health that is kept up to date by `start`. */
export function createChecks(log: HealthLog, metrics: Pick<Metrics, 'dependency'>) {
  const known: PostgresState = {
    failedAt: Number.NEGATIVE_INFINITY,
    state: undefined,
    answers: healthyAnswers,
  }
  const health: Health = createHealth(log, metrics, error => {
    const state = stateOf(error)
    const trouble = state === undefined ? undefined : lasting[state]
    if (trouble === undefined) return
    Object.assign(known, { failedAt: performance.now(), state })
    health.report(trouble.dependency, trouble.reason)
  })
  return {
    health,
    /** Checks at once, and then every second until `stop`. */
    async start(checked: Checked) {
      let round = 0
      const check = async () => {
        await Promise.all([
          checkPostgres(checked, health, known),
          checkStore(checked, health),
          checkLog(checked, health),
          checkRedis(checked, health),
          checkCache(checked, health),
          round % projectionRounds === 0 ? checkProjections(checked, health) : undefined,
        ])
        round += 1
      }
      await check()
      const stopping = new AbortController()
      const looking = repeat(check, stopping.signal)
      return {
        async stop() {
          stopping.abort()
          await looking
        },
      }
    },
  }
}

/** Checks one second after the previous check has ended. */
async function repeat(check: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined)
    if (signal.aborted) return
    await check()
  }
}

async function checkPostgres(
  { pool }: Checked,
  health: Health,
  known: PostgresState,
): Promise<void> {
  const query = pool.query<{ read_only: boolean }>(
    `select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as read_only`,
  )
  const reason = await troubleOf(query, ([row]) => (row?.read_only ? 'read-only' : undefined))
  known.answers = reason === undefined ? known.answers + 1 : 0
  if (reason !== undefined) health.report('postgres', reason)
  else if (known.answers >= healthyAnswers) health.report('postgres')
  if (reason !== undefined || known.state === undefined) return
  const isRecent = performance.now() - known.failedAt < writeTroubleMs
  if (isRecent || (await troubleOf(tryToWrite(pool), () => undefined)) !== undefined) return
  known.state = undefined
  health.report('disk')
}

/** PostgresState so much that the table has to grow, and takes it back. */
async function tryToWrite(pool: Pool): Promise<{ rows: never[] }> {
  const session = await pool.connect()
  try {
    await session.query('begin')
    await session.query(`insert into shop.write_probes (filler)
      select repeat(md5(random()::text), 200) from generate_series(1, 64)`)
  } finally {
    await session.query('rollback').finally(() => session.release())
  }
  return { rows: [] }
}

const probedStream = `${streamPrefixes[0]}readiness`

async function checkStore({ eventStore, isStoreApart }: Checked, health: Health): Promise<void> {
  if (!isStoreApart) return
  // The log and its streams are read with rights of their own; this one need not be there.
  // Up to a revision: the end of the log answers for a known stream without a read of it.
  const stream = firstOf(readStream(eventStore, probedStream, { to: 0 })).catch(
    (error: unknown) => {
      // That the log is another one is reported as such.
      if (!(error instanceof ForeignLog)) throw error
    },
  )
  const query = Promise.all([eventStore.head(), stream]).then(() => ({ rows: [] }))
  health.report('event-store', await troubleOf(query, () => undefined))
}

/** Whether the log is the one of this shop; a server that does not answer is reported elsewhere. */
async function checkLog({ logIdentity }: Checked, health: Health): Promise<void> {
  const query = withDeadline(deadlineMs, 'the log', logIdentity.check())
  await query.then(
    fault => health.report('log', fault),
    () => undefined,
  )
}

/** What keeps Redis from being written to; undefined where nothing does. */
async function redisTrouble(redis: Redis): Promise<string | undefined> {
  const written = redis.set('health', '1', 'EX', 60)
  return withDeadline(deadlineMs, 'Redis', written).then(
    () => undefined,
    (error: unknown) => redisCode(error) ?? 'away',
  )
}

async function checkRedis({ redis }: Checked, health: Health): Promise<void> {
  const trouble = await redisTrouble(redis)
  const isFull = trouble === 'OOM'
  health.report('redis-memory', isFull ? 'out of memory' : undefined)
  health.report('redis', isFull ? undefined : trouble)
}

async function checkCache({ cache }: Checked, health: Health): Promise<void> {
  if (cache === undefined) return
  const trouble = await redisTrouble(cache)
  health.report('cache', trouble === 'OOM' ? 'out of memory' : trouble)
}

/** Which read models have waited too long for their next event. */
async function checkProjections({ db, eventStore }: Checked, health: Health): Promise<void> {
  try {
    const { states, head } = await withDeadline(deadlineMs, 'the read models', whereTheyAre())
    const lagging = states.filter(({ position }) => position < head)
    const last = lagging.map(({ position }) => position).reduce((a, b) => (a < b ? a : b), head)
    const isLate = last < head && (await waitedMs(eventStore, last)) > lagMaxMs
    const names = lagging.filter(({ position }) => position === last).map(({ name }) => name)
    health.report('projections', isLate ? `behind: ${names.join(', ')}` : undefined)
  } catch {
    // Then it is PostgreSQL that is reported.
  }

  /** A read model without a checkpoint is at the start. The log head is read last. */
  async function whereTheyAre() {
    const begun = await projectionStates(db)
    const names = new Set(begun.map(({ name }) => name))
    const missing = projections.filter(({ name }) => !names.has(name))
    const states = [...begun, ...missing.map(({ name }) => ({ name, position: startOfLog }))]
    return { states, head: await eventStore.head() }
  }
}

async function waitedMs(eventStore: EventStore, after: Position): Promise<number> {
  for await (const { recordedAt } of eventStore.readAll({ after })) {
    return Date.now() - recordedAt.getTime()
  }
  return 0
}

/**
 * An answer in time. Where this process itself stood still meanwhile, as on a machine that is busy
 * with other things, the answer may be there and not read yet: it has the time once more.
 */
async function answered<T>(query: Promise<T>): Promise<T> {
  const began = performance.now()
  try {
    return await withDeadline(deadlineMs, 'PostgreSQL', query)
  } catch (error) {
    const lateMs = performance.now() - began - deadlineMs
    if (!(error instanceof Overdue) || lateMs < stoodStillMs) throw error
    return withDeadline(deadlineMs, 'PostgreSQL', query)
  }
}

/** Why something was not answered, or what is wrong with the answer. */
async function troubleOf<Row>(
  query: Promise<{ rows: Row[] }>,
  judge: (rows: Row[]) => string | undefined,
): Promise<string | undefined> {
  try {
    return judge((await answered(query)).rows)
  } catch (error) {
    const codes = codesOf(error)
    const code = codes.findLast(each => each !== 'UNAVAILABLE') ?? codes[0] ?? 'failed'
    return lasting[code]?.reason ?? words[code] ?? code
  }
}
