// Checks of what is in the log: every event can be read, and shown as it is.
import { isStorableValue } from '../../kit/storableText.ts'
import type { LogCheck } from './logCheck.ts'

const nothing = () => undefined

/** Every event fits the schema of its type. */
export const eventsAreReadable: LogCheck = report => {
  const name = 'every event can be read'
  let examined = 0
  return {
    see({ type, position, stream }, event) {
      examined += 1
      if (event === undefined) report(name, `${type} at ${position} in ${stream} cannot be read`)
    },
    conclude: nothing,
    examined: () => ({ [name]: examined }),
  }
}

/** The read models show every text as it is in the log. */
export const textsAreHoldable: LogCheck = report => {
  const name = 'every text can be shown'
  let examined = 0
  return {
    see({ type, position, stream }, event) {
      examined += 1
      if (event === undefined || isStorableValue(event)) return
      const where = `${type} at ${position} in ${stream}`
      report(name, `${where}: text with NUL or broken Unicode, for which read models show U+FFFD`)
    },
    conclude: nothing,
    examined: () => ({ [name]: examined }),
  }
}
