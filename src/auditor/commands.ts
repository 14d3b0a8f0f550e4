// Each command is carried out once: what it writes to a stream is one append.
import { type Check, type LogEvent, named, type Report } from './evidence.ts'

export function commandChecks(report: Report): Check {
  /** The last event of each command in each stream. */
  const last = new Map<string, LogEvent>()
  return {
    see(event) {
      // Numbers that were reserved and given to nobody are no loss.
      if (event.stream.startsWith('orderNumbers-')) return
      const key = `${event.stream} ${event.commandId}`
      const before = last.get(key)
      last.set(key, event)
      if (before === undefined || before.revision === event.revision - 1) return
      report(
        'a command is carried out once',
        `${event.commandId} has written ${named(before)} and, again, ${named(event)}.`,
      )
    },
  }
}
