// Which of the things that the shop depends on work, and whether it can serve without the others.
import type { Metrics } from './metrics.ts'

/** Without these, requests cannot be served. */
const needed = ['postgres', 'disk', 'event-store', 'log'] as const
/** Without these everything is served, later or slower. */
const helpful = ['redis', 'redis-memory', 'cache', 'projections', 'mail'] as const
export type Dependency = (typeof needed)[number] | (typeof helpful)[number]

export interface Readiness {
  status: 'ready' | 'degraded' | 'not-ready'
  /** What keeps requests from being served, and what they are served without. */
  failed?: Dependency[]
  degraded?: Dependency[]
  reasons?: Partial<Record<Dependency, string>>
}

export interface Health {
  /** A dependency works, or does not for a reason of a few words. */
  report(dependency: Dependency, reason?: string): void
  /** PostgreSQL could not do what was asked of it; only what lasts is taken notice of. */
  failed(error: unknown): void
  readiness(): Readiness
}

export interface HealthLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What it means when a dependency fails, for who reads the log. */
const meanings: Readonly<Record<Dependency, string>> = {
  postgres: 'PostgreSQL cannot be used: requests are answered 503 until it can',
  disk: 'PostgreSQL cannot write to its disk: requests that write are answered 503 until it can',
  'event-store': 'the event store cannot be used: requests are answered 503 until it can',
  log: 'the event log is not the one of this shop: nothing is applied, commands are answered 503',
  redis: 'Redis cannot be used: jobs wait, lists and live messages are slower',
  'redis-memory': 'Redis is out of memory: jobs wait until there is room',
  cache: 'the Redis of CACHE_REDIS_URL cannot be used: lists are computed each time',
  projections: 'read models are behind the log: what is read is old',
  mail: 'the mail server cannot be used: mails wait',
}
/** A dependency whose reason changes all the time is logged this often. */
const repeatMs = 30_000

interface Trouble {
  reason: string
  since: number
  loggedAt: number
}

/** Nothing is known to be down yet. A change of state is a line in the log and a metric. */
export function createHealth(
  log: HealthLog,
  metrics: Pick<Metrics, 'dependency'>,
  failed: Health['failed'] = () => undefined,
): Health {
  const troubles = new Map<Dependency, Trouble>()
  for (const dependency of [...needed, ...helpful]) metrics.dependency(dependency, true)
  const isNeeded = (dependency: Dependency) => needed.some(each => each === dependency)

  function fail(dependency: Dependency, reason: string) {
    const now = performance.now()
    const known = troubles.get(dependency)
    const isNews = known === undefined
    const isOther = known?.reason !== reason && now - (known?.loggedAt ?? 0) > repeatMs
    const loggedAt = isNews || isOther ? now : known.loggedAt
    troubles.set(dependency, { reason, since: known?.since ?? now, loggedAt })
    if (isNews) metrics.dependency(dependency, false)
    if (loggedAt !== now) return
    log[isNeeded(dependency) ? 'error' : 'warn']({ dependency, reason }, meanings[dependency])
  }

  function recover(dependency: Dependency) {
    const known = troubles.get(dependency)
    if (known === undefined) return
    troubles.delete(dependency)
    metrics.dependency(dependency, true)
    const seconds = Math.round((performance.now() - known.since) / 1_000)
    log.info({ dependency, seconds }, 'works again')
  }

  return {
    report: (dependency, reason) =>
      reason === undefined ? recover(dependency) : fail(dependency, reason),
    failed,
    readiness() {
      const down = [...troubles.keys()].sort()
      if (down.length === 0) return { status: 'ready' }
      const reasons = Object.fromEntries(
        [...troubles].map(([dependency, { reason }]) => [dependency, reason]),
      )
      const [failing, degraded] = [down.filter(isNeeded), down.filter(each => !isNeeded(each))]
      return {
        status: failing.length > 0 ? 'not-ready' : 'degraded',
        ...(failing.length > 0 && { failed: failing }),
        ...(degraded.length > 0 && { degraded }),
        reasons,
      }
    },
  }
}

/** For scripts: nobody asks. */
export const noHealth: Health = {
  report: () => undefined,
  failed: () => undefined,
  readiness: () => ({ status: 'ready' }),
}
