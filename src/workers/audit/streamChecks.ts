// Checks of the log as a log: gapless revisions, rising positions, unique ids, readable events.

import { isHoldable } from '../../kit/holdable.ts'
import { startOfLog } from '../../kit/position.ts'
import type { LogCheck } from './logCheck.ts'
import type { Part } from './parts.ts'

const nothing = () => []

/** Every stream counts its revisions from 0 without a gap or a repetition. */
export function revisionsAreGapless(part: Part): LogCheck {
  const next = new Map<string, number>()
  return {
    name: 'revisions are gapless in every stream',
    see({ stream, revision }) {
      if (!part.hasStream(stream)) return []
      const expected = next.get(stream) ?? 0
      next.set(stream, revision + 1)
      return revision === expected
        ? []
        : [`${stream}: revision ${revision} follows ${expected - 1}`]
    },
    conclude: nothing,
    examined: () => next.size,
  }
}

const uniqueAndInOrder = 'events are unique and in order'

/** No event is there twice. */
export function eventsAreUnique(part: Part): LogCheck {
  const ids = new Set<string>()
  return {
    name: uniqueAndInOrder,
    see({ id, stream }) {
      if (!part.has(id)) return []
      const isAgain = ids.has(id)
      ids.add(id)
      return isAgain ? [`event ${id} is there twice, again in ${stream}`] : []
    },
    conclude: nothing,
    examined: () => ids.size,
  }
}

/** Positions rise. */
export function positionsRise(): LogCheck {
  let last = startOfLog
  return {
    name: uniqueAndInOrder,
    see({ position }) {
      const before = last
      last = position
      return position <= before ? [`position ${position} follows ${before}`] : []
    },
    conclude: nothing,
    // Counted by the check of their ids.
    examined: () => 0,
  }
}

/** Every event fits the schema of its type. */
export function eventsAreReadable(): LogCheck {
  let examined = 0
  return {
    name: 'every event can be read',
    see({ type, position, stream }, event) {
      examined += 1
      return event === undefined ? [`${type} at ${position} in ${stream} cannot be read`] : []
    },
    conclude: nothing,
    examined: () => examined,
  }
}

/** The read models show every text as it is in the log. */
export function textsAreHoldable(): LogCheck {
  let examined = 0
  return {
    name: 'every text can be shown',
    see({ type, position, stream }, event) {
      examined += 1
      if (event === undefined || isHoldable(event)) return []
      const where = `${type} at ${position} in ${stream}`
      return [`${where}: text with NUL or broken Unicode, for which read models show U+FFFD`]
    },
    conclude: nothing,
    examined: () => examined,
  }
}
