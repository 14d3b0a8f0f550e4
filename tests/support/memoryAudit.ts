// A book of checkpoints in memory, with a signature that is only a text.

import type { Position } from '../../src/kit/position.ts'
import type { Checkpoint, StoredPart } from '../../src/ports/audit.ts'

/** An empty book, and a signer who remembers what it has signed. */
export function memoryAudit() {
  const parts: StoredPart[] = []
  const signed = new Map<string, Checkpoint>()
  const behind = async (position: Position, limit: number) =>
    parts.filter(part => part.position > position).slice(0, limit)
  return {
    parts,
    signed,
    audit: {
      book: {
        last: async () => parts.at(-1),
        upTo: async (position: Position) => parts.findLast(part => part.position <= position),
        behind,
        partsBehind: behind,
        async add(part: StoredPart) {
          parts.push(part)
          return true
        },
        async alone(work: () => Promise<void>) {
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
