// The log, divided into parts: what checks have to remember of an event goes to the parts of the
// order, product, stream and id that it is about. Personal text is not written.

import { eventSchemas } from '../../domain/index.ts'
import { personalPaths, personalTexts, withTexts } from '../../domain/kernel/personal.ts'
import { idIn } from '../../domain/kernel/streamNames.ts'
import { erasedText } from '../../domain/kernel/types.ts'
import { parsePosition } from '../../kit/position.ts'
import type { RecordedEvent } from '../../ports/eventStore.ts'
import type { ReadEvent } from '../../projections/core/events.ts'
import { hasTemplate } from '../reactions/mail/outbox.ts'
import { partitionOf } from './partitions.ts'
import type { Spill } from './spill.ts'

/** Where an event is: all that checks see of one that cannot be decoded. */
export type Seen = Pick<RecordedEvent, 'id' | 'position' | 'stream' | 'revision' | 'type'> & {
  /** The event cannot be decoded at all. */
  isUnreadable?: boolean
}

/** What `see` of a check takes. */
export interface SeenEvent {
  recorded: Seen
  event: ReadEvent | undefined
}

/** The header of an event, or its position and the whole event. */
type Line = [position: string, ...header: [string, number, string, string, boolean] | [ReadEvent]]

const personalOf = new Map(
  Object.entries(eventSchemas).map(([type, schema]) => [type, personalPaths(schema)]),
)

/** Writes an event to its partitions: as a whole where they need its data. */
export async function writePartitions(
  spill: Spill,
  partitions: number,
  { recorded, event }: SeenEvent,
): Promise<void> {
  const whole = new Set<number>()
  if (event !== undefined) {
    for (const key of keysOf(event)) whole.add(partitionOf(key, partitions))
    const text = JSON.stringify([`${event.position}`, withoutPersonal(event)])
    for (const partition of whole) await spill.add(partition, text)
  }
  const { position, stream, revision, id, type, isUnreadable = false } = recorded
  const header: Line = [`${position}`, stream, revision, id, type, isUnreadable]
  const headerPartitions = new Set([
    partitionOf(idIn(stream), partitions),
    partitionOf(id, partitions),
  ])
  for (const partition of headerPartitions) {
    if (whole.has(partition)) continue
    await spill.add(partition, JSON.stringify(header))
  }
}

/** What an event is about; and its id where a mail belongs to it. */
function* keysOf(event: ReadEvent): Generator<string> {
  const { data } = event
  yield idIn(event.stream)
  if ('orderId' in data && typeof data.orderId === 'string') yield data.orderId
  if (event.type === 'OrderSubmitted') yield event.data.orderNumber
  if (event.type === 'CartMerged') yield event.data.from
  if (hasTemplate(event)) yield event.id
}

function withoutPersonal(event: ReadEvent): object {
  const { position: _, ...rest } = event
  const paths = personalOf.get(event.type) ?? []
  if (paths.length === 0) return rest
  const texts = Object.keys(personalTexts(event.data, paths))
  const erased = Object.fromEntries(texts.map(path => [path, erasedText]))
  return { ...rest, data: withTexts(event.data, erased) }
}

/** What `divide` has written to a part, in the order of the log. */
export async function* readPartition(spill: Spill, partition: number): AsyncGenerator<SeenEvent> {
  for await (const text of spill.read(partition)) {
    const line: Line = JSON.parse(text)
    const position = parsePosition(line[0])
    if (line.length === 2) {
      const event = { ...line[1], position }
      yield { recorded: event, event }
    } else {
      const [, stream, revision, id, type, isUnreadable] = line
      yield { recorded: { position, stream, revision, id, type, isUnreadable }, event: undefined }
    }
  }
}
