// The time of this machine.
import type { Clock } from '../commands/ports.ts'

export const systemClock: Clock = { now: () => new Date() }
