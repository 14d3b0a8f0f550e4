// What clients were told: acknowledged is in the log, once; refused is not; and who reads after a
// write sees it.
import { type Check, type LogEvent, type Message, named, type Report, text } from './evidence.ts'

/** Commands on one stream alone: refused, they have written nothing. */
const single = new Set([
  'AddToCart',
  'ChangeCartItem',
  'RemoveFromCart',
  'ClearCart',
  'CountStock',
  'AdjustStock',
  'ChangeProfile',
  'GrantRole',
  'RevokeRole',
])

/** The event of which an acknowledged command has left exactly one; commands may find it done. */
const eventOf: Readonly<Record<string, string>> = {
  PlaceOrder: 'OrderPlaced',
  CancelOrder: 'OrderCancelled',
  ArchiveOrder: 'OrderArchived',
}

export function messageChecks(report: Report): Check {
  const byCommand = new Map<string, LogEvent[]>()
  const byStream = new Map<string, LogEvent[]>()
  return {
    see(event) {
      const same = byCommand.get(event.commandId) ?? []
      byCommand.set(event.commandId, same)
      same.push(event)
      const stream = byStream.get(event.stream) ?? []
      byStream.set(event.stream, stream)
      stream.push(event)
    },
    examined: () => ({}),
    conclude({ messages }) {
      const all = [...(messages ?? [])]
      for (const each of all) {
        if (each.outcome === 'ok' && each.name !== 'read') acknowledged(each, byStream, report)
        if (each.outcome === 'refused') refused(each, byCommand, report)
      }
      reads(all, byStream, report)
    },
  }
}

const acknowledgedIsLogged = 'what was acknowledged is in the log'

function acknowledged(
  messages: Message,
  byStream: ReadonlyMap<string, readonly LogEvent[]>,
  report: Report,
): void {
  const { name, stream, revision = -1, commandId } = messages
  if (stream === undefined) return
  const events = byStream.get(stream) ?? []
  const what = `${name} ${commandId} on ${stream}`
  if (revision >= 0 && events[revision] === undefined) {
    report(
      acknowledgedIsLogged,
      `${what} was told revision ${revision}, and there are ${events.length} events.`,
    )
  }
  const type = messages.leads ?? eventOf[name]
  if (type === undefined) return
  const times = events.filter(event => event.type === type).length
  if (times !== 1)
    report(acknowledgedIsLogged, `${what} was acknowledged, and there are ${times} ${type}.`)
}

function refused(
  { name, commandId = '', code, begun }: Message,
  byCommand: ReadonlyMap<string, readonly LogEvent[]>,
  report: Report,
): void {
  const [event] = byCommand.get(commandId) ?? []
  if (event === undefined || !single.has(name) || begun > 1) return
  report('what was refused is not in the log', `${name} was refused (${code}): ${named(event)}.`)
}

/** A read that begins after an acknowledged write shows at least that write. */
function reads(
  messages: readonly Message[],
  byStream: ReadonlyMap<string, readonly LogEvent[]>,
  report: Report,
): void {
  for (const read of messages) {
    const { name, outcome, stream = '', revision = -1, shown } = read
    if (name !== 'read' || outcome !== 'ok') continue
    for (const write of messages) {
      const isBefore = write.answeredAt <= read.sentAt && write.outcome === 'ok'
      if (!isBefore || write.stream !== stream || (write.revision ?? -1) <= revision) continue
      report(
        'reads after a write show it',
        `${stream} was read at revision ${revision} after ${write.name} was told revision ` +
          `${write.revision}.`,
      )
    }
    const differs = differenceFrom(shown, (byStream.get(stream) ?? []).slice(0, revision + 1))
    if (differs === undefined) continue
    report('what is read is a fold of the log', `${stream} at revision ${revision}: ${differs}.`)
  }
}

/** What is shown otherwise than the events say, of stock and carts. */
function differenceFrom(shown: Message['shown'], events: readonly LogEvent[]): string | undefined {
  if (shown === undefined) return undefined
  const expected = foldStock(events)
  for (const [field, value] of Object.entries(expected)) {
    if (field in shown && shown[field] !== value) {
      return `it was shown as ${field} ${shown[field]}, and the log says ${value}`
    }
  }
  return undefined
}

function foldStock(events: readonly LogEvent[]) {
  let onHand = 0
  const held = new Map<string, number>()
  for (const event of events) {
    const { data, type } = event
    const orderId = text(event, 'orderId')
    if (type === 'StockAdjusted' || type === 'StockCounted') onHand += Number(data.delta)
    if (type === 'StockReserved') held.set(orderId, Number(data.quantity))
    if (type === 'ReservationCommitted') onHand -= Number(data.quantity)
    if (type === 'ReservationCommitted' || type === 'ReservationReleased') held.delete(orderId)
  }
  return { onHand, reserved: [...held.values()].reduce((sum, each) => sum + each, 0) }
}
