// Counting without waiting for it, as long as much is left: what was used is told a little later.
import type { Counted, Counter } from '../../ports/requests.ts'

export interface LocalQuota {
  /** Uses one of what is left by all that is known; undefined where it has to be counted first. */
  use(key: string): Pick<Counted, 'remaining' | 'resetSeconds'> | undefined
  /** How much was used and is not told yet: who counts now tells it, too. */
  settle(key: string): number
  /** Remembers what was counted just now. */
  learn(key: string, counted: Counted): void
}

interface Account {
  remaining: number
  endsAt: number
  /** Used here, and not told yet. */
  used: number
}

const reportAfterMs = 50
const keysMax = 10_000

/**
 * Credit at a counter that others use, too: with several processes more may get through than the
 * quota by what they use in a twentieth of a second.
 */
export function createLocalQuota(counter: Counter): LocalQuota {
  const accounts = new Map<string, Account>()
  let isTelling = false

  function learn(key: string, { allowed, remaining, resetSeconds }: Counted) {
    const used = accounts.get(key)?.used ?? 0
    accounts.delete(key)
    const endsAt = performance.now() + resetSeconds * 1_000
    accounts.set(key, { remaining: allowed ? remaining : 0, endsAt, used })
    const [oldest] = accounts.keys()
    if (accounts.size > keysMax && oldest !== undefined) accounts.delete(oldest)
  }

  function settle(key: string): number {
    const account = accounts.get(key)
    const used = account?.used ?? 0
    if (account === undefined || used === 0) return 0
    account.used = 0
    account.remaining -= used
    return used
  }

  function report() {
    isTelling = false
    for (const key of accounts.keys()) {
      const used = settle(key)
      if (used === 0) continue
      counter.count(key, used).then(
        counted => learn(key, counted),
        () => undefined,
      )
    }
  }

  return {
    learn,
    settle,
    use(key) {
      const account = accounts.get(key)
      const now = performance.now()
      if (account === undefined || account.endsAt <= now) return undefined
      const remaining = account.remaining - account.used - 1
      if (remaining < 0) return undefined
      account.used += 1
      if (!isTelling) setTimeout(report, reportAfterMs).unref()
      isTelling = true
      return { remaining, resetSeconds: Math.max(1, Math.ceil((account.endsAt - now) / 1_000)) }
    },
  }
}
