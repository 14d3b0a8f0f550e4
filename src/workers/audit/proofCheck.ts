// Checks the proof of the log: the chain against its signatures, and what commands rest on beside
// the log.

import type { StateFinding } from '../../commands/auditPorts.ts'
import { type ChainParts, checkChain, type Fault } from '../../commands/chainCheck.ts'
import { checkMark, checkTail } from '../../commands/sealCheck.ts'
import type { Position } from '../../kit/position.ts'
import { type CheckResult, createFindings } from './logCheck.ts'

/** Runs both checks in bounded memory. */
export async function checkProof(
  parts: ChainParts,
  onChecked?: (position: Position) => void,
): Promise<CheckResult[]> {
  return [await checkLogIsSigned(parts, onChecked), ...(await checkState(parts))]
}

async function checkLogIsSigned(
  parts: ChainParts,
  onChecked?: (position: Position) => void,
): Promise<CheckResult> {
  const findings = createFindings()
  let examined = 0
  for await (const checked of checkChain(parts)) {
    if (checked.fault !== undefined) findings.add(told(checked.fault))
    else {
      examined += checked.events
      onChecked?.(checked.checkpoint.position)
    }
  }
  const tail = await checkTail(parts, await parts.book.last())
  const mark = await checkMark(parts)
  for (const fault of [tail.fault, mark]) if (fault !== undefined) findings.add(told(fault))
  return {
    check: 'the log is as it was signed',
    examined: examined + tail.events,
    ...findings.all(),
  }
}

function told({ position, problem, detail }: Fault): string {
  return `position ${position}: ${problem}: ${detail}`
}

async function checkState({ guard, eventStore }: ChainParts): Promise<CheckResult[]> {
  if (guard === undefined) return []
  const findings = createFindings()
  for await (const finding of guard.findings(eventStore)) findings.add(saidOf(finding))
  return [{ check: 'what commands rest on beside the log', examined: 1, ...findings.all() }]
}

function saidOf({ check, key, detail }: StateFinding): string {
  return `${check}: ${key}: ${detail}`
}
