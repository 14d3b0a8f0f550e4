// A book of checkpoints in memory, with a signature that is only a text.

import type { Position } from '../../src/kit/position.ts'
import type { Checkpoint, StoredSegment } from '../../src/ports/audit.ts'

/** An empty book, and a signer who remembers what it has signed. */
export function memoryAudit() {
  const segments: StoredSegment[] = []
  const signed = new Map<string, Checkpoint>()
  const after = async (position: Position, limit: number) =>
    segments.filter(segment => segment.position > position).slice(0, limit)
  return {
    segments,
    signed,
    audit: {
      book: {
        last: async () => segments.at(-1),
        upTo: async (position: Position) =>
          segments.findLast(segment => segment.position <= position),
        after,
        segmentsAfter: after,
        async add(segment: StoredSegment) {
          segments.push(segment)
          return true
        },
        async withLock(work: () => Promise<void>) {
          await work()
          return true
        },
      },
      signer: {
        async sign(checkpoint: Checkpoint) {
          const text = `signature ${signed.size}`
          signed.set(text, checkpoint)
          return text
        },
        open: async (text: string) => signed.get(text),
        jwks: async () => ({ keys: [] }),
      },
    },
  }
}
