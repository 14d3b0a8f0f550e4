// Single flight: work that is done once for all that ask for it at the same time.
import { setImmediate as endOfTurn } from 'node:timers/promises'
import { createDictionary } from './dictionary.ts'

/**
 * A function that runs `work` at most once at a time. A caller never gets the answer of a run that
 * began before its call: all that ask during a run share the next one. A run begins at the end of a
 * turn of the event loop, for all that ask in that turn.
 */
export function createSingleFlight<Answer>(work: () => Promise<Answer>): () => Promise<Answer> {
  let last: Promise<unknown> = Promise.resolve()
  let next: Promise<Answer> | undefined
  const begin = async () => {
    await endOfTurn()
    next = undefined
    return work()
  }
  return () => {
    if (next === undefined) {
      next = last.then(begin, begin)
      last = next
    }
    return next
  }
}

interface Flight<Answer> {
  running: Promise<Answer>
  /** Shared by all that have asked since `running` began. */
  next: Promise<Answer> | undefined
}

/** The same for each key by itself; the first run of a key begins at once. */
export function createKeyedSingleFlight<Answer>(
  work: (key: string) => Promise<Answer>,
): (key: string) => Promise<Answer> {
  const flights = createDictionary<Flight<Answer>>()

  function start(key: string): Promise<Answer> {
    const flight: Flight<Answer> = { running: work(key), next: undefined }
    flights[key] = flight
    const done = () => {
      if (flight.next === undefined) delete flights[key]
    }
    flight.running.then(done, done)
    return flight.running
  }

  return key => {
    const flight = flights[key]
    if (flight === undefined) return start(key)
    const again = () => start(key)
    flight.next ??= flight.running.then(again, again)
    return flight.next
  }
}
