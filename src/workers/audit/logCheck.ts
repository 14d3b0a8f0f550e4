// How the log is checked: each check sees every event once, in log order, and says what is wrong.
import type { Report } from '../../audit/auditor/evidence.ts'
import type { Position } from '../../kit/position.ts'
import { isTransient } from '../../kit/transient.ts'
import type { EventStore, RecordedEvent } from '../../ports/eventStore.ts'
import type { ReadEvent } from '../../projections/core/events.ts'
import { readPartition, type Seen, type SeenEvent, writePartitions } from './partitionedLog.ts'
import { type LogPartition, partitionsOf } from './partitions.ts'
import { createSpill, type Spill, withTemporary } from './spill.ts'

export interface CheckResult {
  check: string
  /** How many things were examined: a check that examined nothing proves nothing. */
  examined: number
  /** Empty when all is well; otherwise the first of them. */
  findings: readonly string[]
  /** How many there are in all. */
  count: number
  /** What is worth knowing and no fault. */
  notes?: readonly string[]
}

/** Makes a check, which gives what it finds to `report`. */
export type LogCheck = (report: Report) => {
  /** Takes one event, `event` only where it could be decoded. */
  see(recorded: Seen, event: ReadEvent | undefined): void
  /** What the log as a whole does not add up to. */
  conclude(): void
  /** Of each check by its name. */
  examined(): Readonly<Record<string, number>>
}

export interface LogReader {
  eventStore: Pick<EventStore, 'readAll'>
  codec: {
    decode(recorded: RecordedEvent): ReadEvent | Promise<ReadEvent>
  }
}

/** Of one check; how many there are in all is said, too. */
export const findingsMax = 20

/** Collects findings: keeps the first ones and counts the others. */
export function createFindings() {
  const first: string[] = []
  let count = 0
  return {
    add(finding: string) {
      count += 1
      if (first.length < findingsMax) first.push(finding)
    },
    all: () => ({ findings: first, count }),
  }
}

/** Collects findings by the name of what found them. */
export function createReport() {
  const found = new Map<string, ReturnType<typeof createFindings>>()
  const report: Report = (check, detail) => {
    const findings = found.get(check) ?? createFindings()
    found.set(check, findings)
    findings.add(detail)
  }
  return { found, report }
}

/** Called with the progress of a step of the audit. */
export type OnProgress = (step: string, done: number, of: number) => void

export interface LogPlan {
  partitions: number
  /** Checks that remember nothing of single events. */
  whole: readonly LogCheck[]
  /** Checks that remember what belongs to a part. */
  forPartition(partition: LogPartition): Promise<readonly LogCheck[]>
  /** Called with the position of every event read, and after each partition. */
  onRead?: ((position: Position) => void) | undefined
  onPartition?: ((done: number) => void) | undefined
}

/**
 * Reads the log once. A short one is checked at once; a long one is divided into temporary files
 * meanwhile, which are read part by part: time grows in proportion to its length, and memory does
 * not grow. An event that cannot be decoded is shown to the checks as it is.
 */
export async function checkLog(reader: LogReader, plan: LogPlan): Promise<CheckResult[]> {
  if (plan.partitions > 1)
    return withTemporary(directory => checkPartitioned(reader, plan, directory))
  const results: CheckResult[] = []
  for (const partition of partitionsOf(1)) {
    const checks = [...plan.whole, ...(await plan.forPartition(partition))]
    results.push(...(await runChecks(checks, readDecoded(reader, plan))))
  }
  return mergeResults(results)
}

async function checkPartitioned(
  reader: LogReader,
  plan: LogPlan,
  directory: string,
): Promise<CheckResult[]> {
  const spill = createSpill(directory, 'log', plan.partitions)
  const partitioning = partitioned(spill, plan.partitions, readDecoded(reader, plan))
  const results = await runChecks(plan.whole, partitioning)
  await spill.flush()
  for (const partition of partitionsOf(plan.partitions)) {
    results.push(
      ...(await runChecks(
        await plan.forPartition(partition),
        readPartition(spill, partition.index),
      )),
    )
    plan.onPartition?.(partition.index + 1)
  }
  return mergeResults(results)
}

async function* readDecoded(
  { eventStore, codec }: LogReader,
  { onRead }: Pick<LogPlan, 'onRead'>,
): AsyncGenerator<SeenEvent> {
  for await (const recorded of eventStore.readAll()) {
    const event = await decoded(codec, recorded)
    if (event !== undefined) yield { recorded, event }
    else {
      const { position, stream, revision, id, type } = recorded
      yield { recorded: { position, stream, revision, id, type, isUnreadable: true }, event }
    }
    onRead?.(recorded.position)
  }
}

async function* partitioned(
  spill: Spill,
  partitions: number,
  events: AsyncIterable<SeenEvent>,
): AsyncGenerator<SeenEvent> {
  for await (const seen of events) {
    await writePartitions(spill, partitions, seen)
    yield seen
  }
}

async function runChecks(
  checks: readonly LogCheck[],
  events: AsyncIterable<SeenEvent>,
): Promise<CheckResult[]> {
  const { found, report } = createReport()
  const running = checks.map(check => check(report))
  for await (const { recorded, event } of events) {
    for (const check of running) check.see(recorded, event)
  }
  for (const check of running) check.conclude()
  const examined: Record<string, number> = Object.assign(
    {},
    ...running.map(check => check.examined()),
  )
  return Object.keys({ ...examined, ...Object.fromEntries(found) }).map(check => ({
    check,
    examined: examined[check] ?? 0,
    ...(found.get(check) ?? createFindings()).all(),
  }))
}

/** Undefined for what cannot be decoded. */
async function decoded(codec: LogReader['codec'], recorded: RecordedEvent) {
  try {
    return await codec.decode(recorded)
  } catch (error) {
    if (isTransient(error)) throw error
    return undefined
  }
}

/** What checks of the same name have found in all parts. */
export function mergeResults(results: readonly CheckResult[]): CheckResult[] {
  const byName = new Map<string, CheckResult>()
  for (const result of results) {
    const before = byName.get(result.check) ?? nothingIn(result.check)
    byName.set(result.check, {
      check: result.check,
      examined: before.examined + result.examined,
      findings: [...before.findings, ...result.findings].slice(0, findingsMax),
      count: before.count + result.count,
      notes: [...(before.notes ?? []), ...(result.notes ?? [])],
    })
  }
  return [...byName.values()]
}

function nothingIn(check: string): CheckResult {
  return { check, examined: 0, findings: [], count: 0 }
}
