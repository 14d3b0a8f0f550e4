// The state of what the shop depends on: told once in the log, and as a metric, when it changes.
import { describe, expect, it } from 'vitest'
import { postgresEventStore } from '../src/eventstore/postgres/postgres.ts'
import { createDatabase, createPool } from '../src/infra/postgres/database.ts'
import { createRedis } from '../src/infra/redis/redis.ts'
import { createChecks } from '../src/main/healthChecks.ts'
import { createHealth } from '../src/ports/health.ts'
import { testDatabase } from './support/database.ts'
import { testRedis } from './support/redis.ts'

function board() {
  const lines: [string, object, string][] = []
  const metric = new Map<string, boolean>()
  const note = (level: string) => (fields: object, message: string) => {
    lines.push([level, fields, message])
  }
  const log = { info: note('info'), warn: note('warn'), error: note('error') }
  const health = createHealth(log, { dependency: (name, isUp) => void metric.set(name, isUp) })
  return { health, lines, metric }
}

describe('a dependency', () => {
  it('is up until something else is known', () => {
    const { health, lines, metric } = board()
    expect(health.readiness()).toEqual({ status: 'ready' })
    expect(lines).toEqual([])
    expect(Object.fromEntries(metric)).toEqual({
      postgres: true,
      disk: true,
      'event-store': true,
      log: true,
      redis: true,
      'redis-memory': true,
      cache: true,
      projections: true,
      mail: true,
    })
  })

  it('that fails a thousand times is one line, and one more when it works again', () => {
    const { health, lines, metric } = board()
    for (let time = 0; time < 1_000; time += 1) health.report('disk', `disk full ${time % 2}`)
    expect(metric.get('disk')).toBe(false)
    expect(lines.map(([level, fields]) => [level, fields])).toEqual([
      ['error', { dependency: 'disk', reason: 'disk full 0' }],
    ])
    health.report('disk')
    health.report('disk')
    expect(metric.get('disk')).toBe(true)
    expect(lines.slice(1)).toEqual([['info', { dependency: 'disk', seconds: 0 }, 'works again']])
  })

  it.each(['postgres', 'disk', 'event-store'] as const)('%s is needed', name => {
    const { health } = board()
    health.report(name, 'gone')
    const reasons = { [name]: 'gone' }
    expect(health.readiness()).toEqual({ status: 'not-ready', failed: [name], reasons })
  })

  it.each(['redis', 'redis-memory', 'cache', 'projections', 'mail'] as const)('%s is not', name => {
    const { health, lines } = board()
    health.report(name, 'gone')
    const reasons = { [name]: 'gone' }
    expect(health.readiness()).toEqual({ status: 'degraded', degraded: [name], reasons })
    expect(lines.map(([level]) => level)).toEqual(['warn'])
  })

  it('that is needed leaves the others named', () => {
    const { health } = board()
    for (const name of ['redis', 'postgres', 'mail'] as const) health.report(name, 'gone')
    expect(health.readiness()).toEqual({
      status: 'not-ready',
      failed: ['postgres'],
      degraded: ['mail', 'redis'],
      reasons: { redis: 'gone', postgres: 'gone', mail: 'gone' },
    })
  })
})

it('a process that stands still does not take it for the silence of PostgreSQL', async () => {
  const [database, server] = [await testDatabase(), await testRedis()]
  const [pool, redis] = [createPool(database.url), createRedis(server.url)]
  const { health } = createChecksOfNobody()
  const parts = { pool, redis, db: createDatabase(pool), eventStore: postgresEventStore(pool) }
  const logIdentity = { check: async () => undefined }
  const starting = health.start({ ...parts, logIdentity, isStoreApart: false, cache: undefined })
  // The question is on its way; its answer comes while nobody reads.
  await new Promise(resolve => setTimeout(resolve, 20))
  const until = performance.now() + 2_300
  while (performance.now() < until);
  const checks = await starting
  expect(health.health.readiness().failed).toBeUndefined()
  await checks.stop()
  redis.disconnect()
  await pool.end()
  await Promise.all([database.drop(), server.release()])
})

function createChecksOfNobody() {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  return { health: createChecks(log, { dependency: () => undefined }) }
}
