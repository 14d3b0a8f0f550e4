// Randomness by name: what is drawn for one call depends on the seed and on that call alone, so
// that a run from which a command or a fault was left out is the same everywhere else.
import { type Random, randomFrom } from '../support/random.ts'

/** FNV-1a over a text, going on from another hash. */
export function hashOf(text: string, from = 0x811c9dc5): number {
  let value = from
  for (let at = 0; at < text.length; at += 1) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  }
  return value >>> 0
}

/** What is drawn for something that has a name, under a seed. */
export function drawFor(seed: number, name: string): Random {
  return randomFrom(hashOf(name, hashOf(`${seed}`)))
}

/** How long a message takes: mostly next to nothing, now and then long. */
export function delayOf(random: Random): number {
  const rarity = random.next()
  if (rarity < 0.9) return 0.1 + 2.9 * random.next()
  return rarity < 0.99 ? 3 + 47 * random.next() : 50 + 750 * random.next()
}
