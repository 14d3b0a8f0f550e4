// Each command is carried out once: what it writes to a stream is one append.
import { type Check, named, type Place, type Report, type Scope } from './evidence.ts'

const once = 'a command is carried out once'

export function commandChecks(report: Report, scope: Scope): Check {
  /** Where the last event of each command in each stream is. */
  const last = new Map<string, Omit<Place, 'id'>>()
  return {
    see({ type, stream, revision, position, commandId }) {
      // Numbers that were reserved and given to nobody are no loss.
      if (!scope.hasStream(stream) || stream.startsWith('orderNumbers-')) return
      const key = `${stream} ${commandId}`
      const before = last.get(key)
      const place = { type, stream, revision, position }
      last.set(key, place)
      if (before === undefined || before.revision === revision - 1) return
      report(once, `${commandId} has written ${named(before)} and, again, ${named(place)}.`)
    },
    examined: () => ({ [once]: last.size }),
  }
}
