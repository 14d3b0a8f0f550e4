// The log as a log: revisions without gaps, positions that rise, no event twice.
import { type Check, named, type Place, type Report, type Scope } from './evidence.ts'

const gapless = 'revisions have no gap'
const unique = 'an event is in the log once'
const rising = 'positions rise'

export function streamChecks(report: Report, scope: Scope): Check {
  const next = new Map<string, number>()
  const seen = new Map<string, string>()
  const pass = (place: Place) => {
    const { stream, revision, id } = place
    if (scope.hasStream(stream)) {
      const expected = next.get(stream) ?? 0
      next.set(stream, revision + 1)
      if (revision !== expected) report(gapless, `${named(place)} comes where ${expected} is due.`)
    }
    if (!scope.has(id)) return
    const twin = seen.get(id)
    seen.set(id, named(place))
    if (twin !== undefined) report(unique, `${named(place)} has the id of ${twin}.`)
  }
  return {
    see: pass,
    skip: pass,
    examined: () => ({ [gapless]: next.size, [unique]: seen.size }),
  }
}

/** Needs constant memory: runs on the log as a whole. */
export function positionChecks(report: Report): Check {
  let last = 0
  let examined = 0
  const pass = (place: Place) => {
    examined += 1
    if (place.position <= last) report(rising, `${named(place)} comes after ${last}.`)
    last = place.position
  }
  return { see: pass, skip: pass, examined: () => ({ [rising]: examined }) }
}
