// npm run projections: how far the read models are, and building them anew.

import { parseArgs } from 'node:util'
import { MultiBar } from 'cli-progress'
import { type Lag, lagsAt } from '../src/audit/lag.ts'
import { loadConfig } from '../src/config/config.ts'
import { createDatabase, createPool } from '../src/infra/postgres/database.ts'
import { shareOfWay, startOfLog } from '../src/kit/position.ts'
import type { AppServices } from '../src/main/openServices.ts'
import type { Projection } from '../src/projections/core/projection.ts'
import { projections } from '../src/projections/index.ts'
import { projectionStates } from '../src/projections/order/orderQueries.ts'
import { describeBroken } from '../src/projections/rebuild/brokenStreams.ts'
import type { Rebuilt } from '../src/projections/rebuild/context.ts'
import { rebuild } from '../src/projections/rebuild/rebuild.ts'
import { rebuildStates } from '../src/projections/rebuild/rebuildStates.ts'
import { amountOf, linesOf } from '../src/projections/rebuild/rowDifferences.ts'
import { rollBack } from '../src/projections/rebuild/swap.ts'
import { rebuildLog } from '../src/workers/projector/logReader.ts'
import { reactions } from '../src/workers/reactions/index.ts'
import { adopting } from './adopting.ts'
import { main, Refusal, UsageError, withApp } from './withApp.ts'

const names = projections.map(each => each.name)
const reactionNames = reactions.map(each => each.name)
const usage = `Usage: npm run projections -- status
       npm run projections -- rebuild NAME... | all [--accept-broken-streams]
       npm run projections -- rollback NAME
       npm run projections -- adopt [--yes [--accept-broken-streams]]

  status    shows how far each projection is, what is parked for it, and its last rebuild
  rebuild   reads the log from its first event into new tables while the old ones serve
            until the new ones take their place, and says whether both were equal: of tables that
            were not, how many rows differ, and the first 20 keys. Several projections share
            one reading. The shop may be running or not; after a kill the same command, or a
            running worker, goes on where it was. Where events of streams that a projection
            reads are missing in the log, its old tables stay in service, the streams are
            named, and the exit code is 1; --accept-broken-streams puts the new tables into
            service without those events.
  rollback  puts the tables back that the last rebuild has replaced, and keeps those of now
  adopt     accepts an event log that is not the one that this shop knows, such as one that was
            restored without its database: shows what it holds, and with --yes empties the read
            models, rebuilds them from it, and forgets signatures that do not fit it. Processes
            that run have to be started anew; without --yes nothing is changed.

Projections: ${names.join(', ')}
Reactions, which are shown and never rebuilt: ${reactionNames.join(', ')}
Exit codes: 0 done, 1 not done or DIFFERENT from the old tables, 2 wrong usage.`

await main(async () => {
  const { positionals, help, yes, acceptsBroken } = readArguments()
  const [action, ...names] = positionals
  if (help) console.log(usage)
  else if (action === 'status' && names.length === 0) await withApp('projections', showStatus)
  else if (action === 'rebuild') {
    const chosen = choose(names)
    await withApp('npm run projections', (open, env) =>
      rebuildAll(open, env, { chosen, acceptsBroken }),
    )
  } else if (action === 'rollback' && names.length === 1) {
    const [chosen] = choose(names)
    await withApp('npm run projections', open => rollBackOne(open, chosen))
  } else if (action === 'adopt' && names.length === 0) {
    await withApp(
      'npm run projections',
      (open, env) => adopt(open, env, { yes, acceptsBroken }),
      'adopt',
    )
  } else throw new UsageError(action ? `${positionals.join(' ')} is not understood` : 'what?')
})

function readArguments() {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        yes: { type: 'boolean' },
        'accept-broken-streams': { type: 'boolean' },
      },
    })
    const acceptsBroken = values['accept-broken-streams'] === true
    return { positionals, help: values.help === true, yes: values.yes === true, acceptsBroken }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'arguments not understood')
  }
}

function choose(names: readonly string[]): Projection[] {
  if (names.length === 0) throw new UsageError('name the projections to rebuild, or say all')
  const reacting = names.filter(name => reactionNames.includes(name))
  if (reacting.length > 0) {
    throw new UsageError(
      `${reacting.join(', ')}: a reaction does nothing again, and only projections are rebuilt`,
    )
  }
  const unknown = names.filter(name => name !== 'all' && !names.includes(name))
  if (unknown.length > 0) {
    throw new UsageError(
      `there is no projection ${unknown.join(', ')}; there are ${names.join(', ')}`,
    )
  }
  return projections.filter(each => names.includes('all') || names.includes(each.name))
}

async function adopt(
  open: AppServices,
  env: NodeJS.ProcessEnv,
  agreed: { yes: boolean; acceptsBroken: boolean },
): Promise<void> {
  if (!(await adopting(open, env, agreed))) return
  await rebuildAll(open, env, { chosen: projections, acceptsBroken: agreed.acceptsBroken })
}

async function showStatus({ db, eventStore }: AppServices): Promise<void> {
  const [head, states, rebuilds] = await Promise.all([
    eventStore.head(),
    projectionStates(db),
    rebuildStates(db),
  ])
  const positions = states.map(({ position }) => position)
  const lags = await lagsAt(eventStore, { positions, head, now: new Date() })
  const lastOf = new Map(rebuilds.map(each => [each.name, each]))
  console.table(
    states.map(({ name, version, position, runner, parked }) => ({
      projection: name,
      version: version ?? 'reaction',
      position: String(position),
      behind: shownLag(lags.get(position)),
      runner: runner ?? 'nobody',
      parked: Number(parked),
      rebuild: lastOf.get(name)?.state ?? '',
    })),
  )
}

function shownLag({ seconds, events }: Lag = { seconds: 0 }): string {
  if (seconds === 0 && !events) return '0'
  const time = `${Math.round(seconds)} s`
  return events === undefined ? time : `${time}, ${events} events`
}

async function rebuildAll(
  open: AppServices,
  env: NodeJS.ProcessEnv,
  { chosen, acceptsBroken }: { chosen: readonly Projection[]; acceptsBroken: boolean },
): Promise<void> {
  const head = await open.eventStore.head()
  const bars = new MultiBar({
    format: '{name} {bar} {percentage}% of the log, {eta} s left',
    noTTYOutput: true,
    notTTYSchedule: 5_000,
  })
  const byName = new Map(
    chosen.map(({ name }) => [name, bars.create(100, 0, { name: name.padEnd(16) })]),
  )
  const pool = createPool(loadConfig(env).databaseUrl.reveal(), { pipeline: true })
  try {
    const rebuilt = await rebuild(createDatabase(pool), chosen, {
      ...rebuildLog(open),
      acceptsBroken,
      onProgress: (name, position) =>
        byName.get(name)?.update(100 * shareOfWay(startOfLog, position, head)),
    })
    for (const bar of byName.values()) bar.update(100)
    bars.stop()
    showRebuilt(rebuilt)
  } catch (error) {
    bars.stop()
    if (!(error instanceof Error)) throw error
    throw new Refusal(`the old tables stay: ${error.message}`)
  } finally {
    await pool.end()
  }
}

function showRebuilt(rebuilt: readonly Rebuilt[]): void {
  for (const { name, serves, position, matches } of rebuilt) {
    const outcome = serves
      ? comparison(matches)
      : 'NOT REBUILT: the old tables stay, since the log lacks events that it reads'
    console.log(`${name.padEnd(16)} at ${position}, ${outcome}`)
  }
  for (const { name, differences } of rebuilt) {
    for (const each of differences) {
      console.error(`${name}: table ${each.table}, old against new: ${amountOf(each)}`)
      for (const line of linesOf(each)) console.error(`${name}: ${line}`)
    }
  }
  for (const { name, broken } of rebuilt) {
    if (broken.count > 0) console.error(`${name}: ${describeBroken(broken)}`)
  }
  const stopped = rebuilt.filter(({ serves }) => !serves)
  if (stopped.length > 0) {
    console.error(
      'Bring the events back and rebuild again, or accept that they are missing: ' +
        `npm run projections -- rebuild ${stopped.map(({ name }) => name).join(' ')} ` +
        '--accept-broken-streams',
    )
  }
  if (stopped.length > 0 || rebuilt.some(({ matches }) => matches === false)) process.exitCode = 1
}

function comparison(matches: boolean | undefined): string {
  if (matches === undefined) return 'not compared with the old tables, which were not alike'
  return matches ? 'equal to the old tables' : 'DIFFERENT from the old tables, which are kept'
}

async function rollBackOne({ db }: AppServices, projection: Projection | undefined): Promise<void> {
  if (projection === undefined) throw new UsageError('name one projection')
  const back = await rollBack(db, projection)
  if (back === undefined) throw new Refusal(`${projection.name} has no tables that were replaced`)
  console.log(`${projection.name} has its tables of version ${back.version} at ${back.position}`)
}
