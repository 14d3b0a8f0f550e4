// Random bytes in advance: a system call for a few bytes takes longer than using them.
import { randomFillSync } from 'node:crypto'

const pieces = 256

/** Gives so many random bytes at each call, which nobody else gets; they are not to be changed. */
export function randomSupply(size: number): () => Buffer {
  let supply = Buffer.alloc(0)
  return () => {
    // Anew each time, since what was given out may still be in use.
    if (supply.length === 0) supply = randomFillSync(Buffer.alloc(pieces * size))
    const piece = supply.subarray(0, size)
    supply = supply.subarray(size)
    return piece
  }
}
