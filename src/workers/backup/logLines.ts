// The log in a backup: a line an event, as in exports, and a hash over what no store gives itself.

import { createHash } from 'node:crypto'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { canonicalJson, storedEvent } from '../../audit/hashChain.ts'
import { parsePosition } from '../../kit/position.ts'
import type { RecordedEvent } from '../../ports/eventStore.ts'
import { DamagedBackup } from './archive.ts'

const Fields = Type.Record(Type.String(), Type.Unknown())
const Line = Compile(
  Type.Object({
    position: Type.String({ pattern: '^\\d{1,19}$' }),
    stream: Type.String(),
    revision: Type.Integer({ minimum: 0 }),
    id: Type.String(),
    type: Type.String(),
    recordedAt: Type.String(),
    data: Fields,
    metadata: Fields,
  }),
)

/** An event as a line. */
export function eventLine(event: RecordedEvent): string {
  return JSON.stringify(storedEvent(event))
}

/** The event of a line. Throws DamagedBackup. */
export function eventOf(line: string): RecordedEvent {
  const value: unknown = JSON.parse(line)
  if (!Line.Check(value)) throw new DamagedBackup(`the log has a line that is no event: ${line}`)
  const { position, recordedAt, ...rest } = value
  return { ...rest, position: parsePosition(position), recordedAt: new Date(recordedAt) }
}

/** The content of a log: everything but positions and times of recording, which its store gives. */
export function createContentHash(): { add(event: RecordedEvent): void; digest(): string } {
  const hash = createHash('sha256')
  return {
    add({ stream, revision, id, type, data, metadata }) {
      hash.update(canonicalJson({ stream, revision, id: id.toLowerCase(), type, data, metadata }))
      hash.update('\n')
    },
    digest: () => hash.digest('hex'),
  }
}
