// Outages of the mail server: sending pauses, and no mail counts a failed attempt.
import { type Health, noHealth } from '../../../ports/health.ts'
import type { Log } from '../../../ports/log.ts'

const firstPauseMs = 250
const pauseMaxMs = 5_000

export interface Outage {
  /** Whether to wait before the next attempt. */
  isPaused(): boolean
  /** The server accepts no mail: pause, each time longer. */
  reportUnavailable(code: string): void
  /** The server has answered about a mail. */
  reportAvailable(): void
  /** Calls this at the end of each pause. */
  onResume(listener: () => void): void
  stop(): void
}

/** Shared by all mail workers of a process. */
export function createOutage(log: Log, health: Pick<Health, 'report'> = noHealth): Outage {
  const listeners: (() => void)[] = []
  let pauses = 0
  let timer: NodeJS.Timeout | undefined
  const resume = () => {
    timer = undefined
    for (const listener of listeners) listener()
  }
  return {
    isPaused: () => timer !== undefined,
    reportUnavailable(code) {
      if (timer !== undefined) return
      health.report('mail', code)
      if (pauses === 0) log.error({ event: 'mail-server-away', error: code }, 'mail server away')
      const full = Math.min(pauseMaxMs, firstPauseMs * 2 ** pauses)
      pauses += 1
      timer = setTimeout(resume, full * (0.75 + Math.random() / 4))
    },
    reportAvailable() {
      if (pauses > 0) log.info({ event: 'mail-server-back' }, 'mail server back')
      pauses = 0
      health.report('mail')
    },
    onResume: listener => void listeners.push(listener),
    stop: () => clearTimeout(timer),
  }
}
