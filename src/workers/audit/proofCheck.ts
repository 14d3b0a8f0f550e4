// Checks the proof of the log: the chain against its signatures, and what commands rest on beside
// the log.

import { type ChainDeps, checkChain } from '../../audit/chainCheck.ts'
import type { Fault } from '../../audit/chainFault.ts'
import { checkMark, checkTail } from '../../audit/sealCheck.ts'
import { limitFindings, type StreamWatch, watchStreams } from '../../audit/streamCheck.ts'
import type { Position } from '../../kit/position.ts'
import type { StateFinding } from '../../ports/audit.ts'
import type { LogInspection } from '../../ports/logInspection.ts'
import { type CheckResult, createFindings } from './logCheck.ts'

/** Runs both checks in bounded memory. */
export async function checkProof(
  deps: ChainDeps & { eventStore: Pick<LogInspection, 'streamHeads'> },
  onChecked?: (position: Position) => void,
): Promise<CheckResult[]> {
  const { eventStore } = deps
  const streams = watchStreams(eventStore)
  const signed = await checkLogIsSigned({ ...deps, streams }, onChecked)
  return [signed, await checkStreams(eventStore, streams), ...(await checkState(deps))]
}

async function checkLogIsSigned(
  deps: ChainDeps,
  onChecked?: (position: Position) => void,
): Promise<CheckResult> {
  const findings = createFindings()
  let examined = 0
  for await (const checked of checkChain(deps)) {
    if (checked.fault !== undefined) findings.add(faultText(checked.fault))
    else {
      examined += checked.events
      onChecked?.(checked.checkpoint.position)
    }
  }
  const tail = await checkTail(deps, await deps.book.last())
  const mark = await checkMark(deps)
  for (const fault of [tail.fault, mark]) if (fault !== undefined) findings.add(faultText(fault))
  return {
    check: 'the log is as it was signed',
    examined: examined + tail.events,
    ...findings.all(),
  }
}

function faultText({ position, problem, detail }: Fault): string {
  return `position ${position}: ${problem}: ${detail}`
}

/** What decisions rest on: streams as they are read, beside the log that was signed. */
async function checkStreams(
  eventStore: ChainDeps['eventStore'],
  streams: StreamWatch,
): Promise<CheckResult> {
  await streams.compare(true)
  const findings = createFindings()
  const { findings: first, count } = streams.found()
  for (const finding of first) findings.add(textOf(finding))
  for await (const finding of limitFindings(eventStore)) findings.add(textOf(finding))
  const all = findings.all()
  return {
    check: 'streams are whole',
    examined: 1,
    ...all,
    count: all.count + count - first.length,
  }
}

async function checkState({ guard, eventStore }: ChainDeps): Promise<CheckResult[]> {
  if (guard === undefined) return []
  const findings = createFindings()
  for await (const finding of guard.findings(eventStore)) findings.add(textOf(finding))
  return [{ check: 'what commands rest on beside the log', examined: 1, ...findings.all() }]
}

function textOf({ check, key, detail }: StateFinding): string {
  return `${check}: ${key}: ${detail}`
}
