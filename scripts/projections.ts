// npm run projections: how far the read models are, and building them anew.
import { parseArgs } from 'node:util'
import { SingleBar } from 'cli-progress'
import type { OpenShop } from '../src/openShop.ts'
import { projections } from '../src/projections/index.ts'
import { projectionStates } from '../src/projections/orderQueries.ts'
import type { Projection } from '../src/projections/projection.ts'
import { rebuild } from '../src/projections/rebuild.ts'
import { readBatches } from '../src/workers/projector.ts'
import { main, Refusal, UsageError, withShop } from './withShop.ts'

const names = projections.map(each => each.name)
const usage = `Usage: npm run projections -- status
       npm run projections -- rebuild NAME... | all

  status    shows how far each projection is, and what is parked for it
  rebuild   reads the log from its first event into new tables beside the old ones, which serve
            until the new ones take their place. The shop may be running or not.

Projections: ${names.join(', ')}
Exit codes: 0 done, 1 not done, 2 wrong usage.`

await main(async () => {
  const { positionals, help } = readArguments()
  const [action, ...wanted] = positionals
  if (help) console.log(usage)
  else if (action === 'status' && wanted.length === 0) await withShop('projections', showStatus)
  else if (action === 'rebuild') {
    const chosen = choose(wanted)
    await withShop('npm run projections', open => rebuildAll(open, chosen))
  } else throw new UsageError(action ? `${positionals.join(' ')} is not understood` : 'what?')
})

function readArguments() {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { help: { type: 'boolean', short: 'h' } },
    })
    return { positionals, help: values.help === true }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'arguments not understood')
  }
}

function choose(wanted: readonly string[]): Projection[] {
  if (wanted.length === 0) throw new UsageError('name the projections to rebuild, or say all')
  const unknown = wanted.filter(name => name !== 'all' && !names.includes(name))
  if (unknown.length > 0) {
    throw new UsageError(
      `there is no projection ${unknown.join(', ')}; there are ${names.join(', ')}`,
    )
  }
  return projections.filter(each => wanted.includes('all') || wanted.includes(each.name))
}

async function showStatus({ db, eventStore }: OpenShop): Promise<void> {
  const [head, states] = await Promise.all([eventStore.head(), projectionStates(db)])
  console.table(
    states.map(({ name, version, position, runner, parked }) => ({
      projection: name,
      version,
      position: String(position),
      behind: String(head > position ? head - position : 0n),
      runner: runner ?? 'nobody',
      parked: Number(parked),
    })),
  )
}

async function rebuildAll(open: OpenShop, chosen: readonly Projection[]): Promise<void> {
  const head = Number(await open.eventStore.head())
  for (const projection of chosen) {
    const name = projection.name.padEnd(16)
    const bar = new SingleBar({
      format: `${name} {bar} {percentage}% {value}/{total} events, {eta} s left`,
      noTTYOutput: true,
      notTTYSchedule: 5_000,
    })
    bar.start(head, 0)
    try {
      await rebuild(open.db, projection, {
        read: after => readBatches(open, projection, after),
        onProgress: position => bar.update(Math.min(head, Number(position))),
      })
      bar.update(head)
    } catch (error) {
      if (!(error instanceof Error)) throw error
      throw new Refusal(`${projection.name} keeps its old tables: ${error.message}`)
    } finally {
      bar.stop()
    }
  }
}
