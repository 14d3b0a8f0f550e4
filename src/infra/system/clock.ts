// The time of this machine.
import type { Clock } from '../../ports/envelope.ts'

export const systemClock: Clock = { now: () => new Date() }
