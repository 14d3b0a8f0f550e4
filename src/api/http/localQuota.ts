// A local share of a rate limit: requests are counted in this process and reported a little later.
import type { Counted, Counter } from '../../ports/requests.ts'

export interface LocalQuota {
  /** Uses one of the known remainder; undefined if the request has to be counted first. */
  use(key: string): Pick<Counted, 'remaining' | 'resetSeconds'> | undefined
  /** Takes what was used and not reported yet, to be reported with the next count. */
  takeUnreported(key: string): number
  /** Stores the result of a count. */
  update(key: string, counted: Counted): void
}

interface Account {
  remaining: number
  endsAt: number
  /** Used in this process and not reported yet. */
  used: number
}

const reportAfterMs = 50
const keysMax = 10_000

/**
 * With several processes more requests than the quota may be accepted: those of
 * 50 ms.
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
    update: learn,
    takeUnreported: settle,
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
