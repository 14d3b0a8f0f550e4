// npm run projections -- adopt: shows an event log that the shop does not know, and accepts it.
import { checkChain } from '../src/audit/chainCheck.ts'
import { loadConfig } from '../src/config/config.ts'
import type { Secret } from '../src/config/secret.ts'
import { streamPrefixes } from '../src/domain/index.ts'
import { createResponseCache } from '../src/infra/caching/responseCache.ts'
import { adoptLog, type LogSummary, summarize } from '../src/infra/log/adoptLog.ts'
import { createLogIdentity } from '../src/infra/log/logIdentity.ts'
import { forgetOwnWrites } from '../src/infra/redis/ownWrites.ts'
import { createRedis } from '../src/infra/redis/redis.ts'
import { type Position, startOfLog } from '../src/kit/position.ts'
import type { AppServices } from '../src/main/openServices.ts'
import type { ReadAllOptions, RecordedEvent } from '../src/ports/eventStore.ts'
import { previousOf } from '../src/projections/core/projection.ts'
import { projections } from '../src/projections/index.ts'
import { describeBroken, summaryOf } from '../src/projections/rebuild/brokenStreams.ts'
import type { BrokenStreams } from '../src/projections/rebuild/context.ts'
import { shadowOf } from '../src/projections/rebuild/shadow.ts'
import { rebuildLog } from '../src/workers/projector/logReader.ts'
import { Refusal } from './withApp.ts'

/**
 * Says what the log holds and why it is not the one of this shop, and makes it that where this is
 * agreed to. False where there is nothing to do. Throws Refusal where nobody has agreed.
 */
export async function adopting(
  open: AppServices,
  env: NodeJS.ProcessEnv,
  { yes, acceptsBroken }: { yes: boolean; acceptsBroken: boolean },
): Promise<boolean> {
  const config = loadConfig(env)
  const setting = config.eventStoreUrl === undefined ? 'DATABASE_URL' : 'EVENTSTORE_URL'
  const fault = await createLogIdentity(open.pool, open.eventStore, setting).start()
  const { found, broken } = await readLog(open)
  show(found)
  if (broken.count > 0) console.log(`${describeBroken(broken)}.`)
  if (fault === undefined) {
    console.log('This is the log that the shop knows: there is nothing to adopt.')
    return false
  }
  console.log(fault)
  if (found.events === 0) {
    throw new Refusal(
      'nothing was changed: an empty log has no shop to adopt; bring the log of before back ' +
        '(npm run restore), or begin a new shop with a database of its own',
    )
  }
  if (broken.count > 0 && !acceptsBroken) {
    throw new Refusal(
      'nothing was changed: bring the missing events back, or accept that they are missing ' +
        '(--yes --accept-broken-streams)',
    )
  }
  if (!yes) {
    throw new Refusal(
      'nothing was changed: with --yes the read models are emptied and rebuilt from this log',
    )
  }
  await accept(open, found)
  await evictCached(config.cacheRedisUrl ?? config.redisUrl, config.redisUrl)
  console.log('Adopted. Restart every process of this shop that is running.')
  return true
}

/** What the log holds, and what it lacks. */
async function readLog(open: AppServices): Promise<{
  found: LogSummary
  broken: BrokenStreams
}> {
  const { streams } = rebuildLog(open)
  const counted = {
    async *readAll(options?: ReadAllOptions) {
      for await (const event of open.eventStore.readAll(options)) {
        streams.census.see(event)
        yield event
      }
    },
  }
  const found = await summarize(counted, streamPrefixes)
  return { found, broken: await summaryOf(streams.census.broken(), streams) }
}

function show({ events, first, last }: LogSummary): void {
  console.log(`The log has ${events} events of this shop.`)
  for (const [which, event] of [['first', first] as const, ['last', last] as const]) {
    if (event !== undefined) console.log(`The ${which} one: ${described(event)}`)
  }
}

function described({ type, stream, position, recordedAt, id }: RecordedEvent): string {
  return `${type} of ${stream} at position ${position}, ${recordedAt.toISOString()}, id ${id}`
}

async function accept({ pool, audit, eventStore }: AppServices, found: LogSummary): Promise<void> {
  let signed: { position: Position; count: number; hash: string } | undefined
  for await (const { checkpoint } of checkChain({ ...audit, eventStore })) {
    signed = checkpoint ?? signed
  }
  await adoptLog(pool, found, {
    tables: projections.flatMap(each => each.tables),
    schemas: projections.flatMap(({ name }) => [previousOf(name), shadowOf(name)]),
    signedUpTo: signed?.position ?? startOfLog,
  })
  await audit.marks?.reset(signed && { ...signed, at: new Date() })
}

/** Answers of before, and how far callers have written: neither is of this log. */
async function evictCached(cacheUrl: Secret, url: Secret): Promise<void> {
  const [cache, redis] = [createRedis(cacheUrl.reveal()), createRedis(url.reveal())]
  try {
    await createResponseCache(cache).invalidate()
    await forgetOwnWrites(redis)
  } finally {
    cache.disconnect()
    redis.disconnect()
  }
}
