// The log as a log: revisions without gaps, positions that rise, no event twice.
import { type Check, named, type Report } from './evidence.ts'

export function streamChecks(report: Report): Check {
  const next = new Map<string, number>()
  const seen = new Map<string, string>()
  let last = 0
  return {
    see(event) {
      const { stream, revision, position, id } = event
      const expected = next.get(stream) ?? 0
      next.set(stream, revision + 1)
      if (revision !== expected) {
        report('revisions have no gap', `${named(event)} comes where ${expected} is due.`)
      }
      if (position <= last) report('positions rise', `${named(event)} comes after ${last}.`)
      last = position
      const twin = seen.get(id)
      seen.set(id, named(event))
      if (twin !== undefined) {
        report('an event is in the log once', `${named(event)} has the id of ${twin}.`)
      }
    },
  }
}
