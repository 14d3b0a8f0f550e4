// Compares what the log has of streams with what reading them gives: commands decide on the latter.

import type { StateFinding } from '../ports/audit.ts'
import type { RecordedEvent } from '../ports/eventStore.ts'
import type { LogInspection } from '../ports/logInspection.ts'

export interface StreamWatch {
  /** Takes the next event of the log. */
  see(event: Pick<RecordedEvent, 'stream' | 'revision'>): void
  /** Compares what was seen, once it is much; in the end with `true`, all of it. */
  compare(isEnd?: boolean): Promise<void>
  /** What was found so far, the first of them, and how many there are. */
  found(): { findings: readonly StateFinding[]; count: number }
}

/** Streams that are remembered at most before they are compared. */
const seenMax = 20_000
/** Streams that are asked for at once. */
const streamsMax = 500
const findingsMax = 20
const check = 'streams are as long as the log says'

/** Watches over a log that is read; what is in memory does not grow with it. */
export function watchStreams(eventStore: Pick<LogInspection, 'streamHeads'>): StreamWatch {
  const last = new Map<string, number>()
  const findings: StateFinding[] = []
  let count = 0

  const report = (key: string, detail: string) => {
    count += 1
    if (findings.length < findingsMax) findings.push({ check, key, detail })
  }
  return {
    see({ stream, revision }) {
      const before = last.get(stream)
      if (before !== undefined && revision !== before + 1) {
        report(stream, `Revision ${revision} comes behind ${before} in the log.`)
      }
      last.set(stream, revision)
    },
    async compare(isEnd = false) {
      if (!isEnd && last.size < seenMax) return
      const seen = [...last]
      last.clear()
      for (let from = 0; from < seen.length; from += streamsMax) {
        const some = seen.slice(from, from + streamsMax)
        const heads = await eventStore.streamHeads(some.map(([stream]) => stream))
        for (const [index, [stream, revision]] of some.entries()) {
          const head = heads[index]
          if (head?.fault !== undefined) report(stream, `Reading it: ${head.fault}.`)
          else if (head?.revision === 'no-stream' || (head?.revision ?? -1) < revision) {
            const found = head?.revision ?? 'no-stream'
            report(stream, `The log has it up to revision ${revision}, reading it to ${found}.`)
          }
        }
      }
    },
    found: () => ({ findings, count }),
  }
}

/** The streams of which the store was told to show or to keep a part only. */
export async function* limitFindings(
  eventStore: Pick<LogInspection, 'streamLimits'>,
): AsyncGenerator<StateFinding> {
  for await (const { stream, detail } of eventStore.streamLimits()) {
    const remedy = 'set its metadata to {} again, twice where it was deleted'
    yield { check: 'streams are kept whole', key: stream, detail: `${detail}: ${remedy}.` }
  }
}
