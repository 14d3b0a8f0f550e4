// Searches the highest rate that a system holds.

export interface Search {
  /** The first rate that is tried. */
  first: number
  steps: number
}

/** Up by so much while every rate has held so far, and down while none has. */
const stepUp = 1.25
const stepDown = 0.7
/** After a rate that is confirmed no more, the next is lower by so much. */
const confirmDown = 0.9
const confirmTries = 8

/** The highest rate that held in so many steps; the lowest that was tried where none did. */
export async function highestRate(
  holds: (rate: number) => Promise<boolean>,
  { first, steps }: Search,
): Promise<number> {
  let rate = first
  let lowest = first
  let held: number | undefined
  let failed: number | undefined
  for (let step = 0; step < steps; step += 1) {
    lowest = Math.min(lowest, rate)
    if (await holds(rate)) held = rate
    else failed = rate
    if (held === undefined) rate *= stepDown
    else rate = failed === undefined ? rate * stepUp : (held + failed) / 2
  }
  return held ?? lowest
}

/** What a trial at the rate came to, or at the next lower one that held. */
export async function confirmRate<T extends { isHeld: boolean }>(
  trial: (rate: number) => Promise<T>,
  first: number,
): Promise<T> {
  let rate = first
  for (let tries = 1; tries < confirmTries; tries += 1) {
    const result = await trial(rate)
    if (result.isHeld) return result
    rate *= confirmDown
  }
  const last = await trial(rate)
  if (!last.isHeld) throw new Error(`not even ${Math.round(rate)} a second held`)
  return last
}
