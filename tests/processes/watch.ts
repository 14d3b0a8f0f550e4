// Watches each API of a platform: whether it serves, and whether what it says of that is true.
import { setTimeout as pause } from 'node:timers/promises'
import type { Platform, ShopProcess } from './platform.ts'

interface Look {
  at: number
  serves: boolean
  saysReady: boolean
}

export interface Watch {
  /** Wrong answers of `/readyz`, in plain words. */
  lies(): string[]
  stop(): Promise<void>
}

/** How long readiness may be wrong. */
const lieMs = 8_000

/** Looks at every API twice a second, with a real command of this customer. */
export function watchReadiness(platform: Platform, token: string, productId: string): Watch {
  const stopping = new AbortController()
  const looks = new Map<ShopProcess, Look[]>()
  const watching = platform.apis.map(async api => {
    const seen: Look[] = []
    looks.set(api, seen)
    while (!stopping.signal.aborted) {
      const began = Date.now()
      const [serves, saysReady] = await Promise.all([
        works(api, token, productId),
        answers(`${api.url}/readyz`),
      ])
      // Of a process that is down or stands still there is nothing to be said.
      if (saysReady !== undefined) seen.push({ at: began, serves, saysReady })
      else seen.length > 0 && seen.push({ at: began, serves: true, saysReady: true })
      await pause(500)
    }
  })
  return {
    lies: () => [...looks].flatMap(([{ name }, seen]) => liesOf(name, seen)),
    async stop() {
      stopping.abort()
      await Promise.all(watching)
    },
  }
}

function liesOf(name: string, looks: readonly Look[]): string[] {
  const findings: string[] = []
  let wrongSince: number | undefined
  for (const { at, serves, saysReady } of looks) {
    if (serves === saysReady) wrongSince = undefined
    else wrongSince ??= at
    if (wrongSince !== undefined && at - wrongSince > lieMs) {
      const truth = serves ? 'not ready and serves' : 'ready and does not serve'
      const since = new Date(wrongSince).toISOString()
      findings.push(`${name} said for ${at - wrongSince} ms from ${since} on that it is ${truth}`)
      wrongSince = undefined
    }
  }
  return findings
}

async function works({ url }: ShopProcess, token: string, productId: string): Promise<boolean> {
  return fetch(`${url}/api/cart/items`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ productId, quantity: 1 }),
    signal: AbortSignal.timeout(3_000),
  }).then(
    ({ status }) => status < 500,
    () => false,
  )
}

async function answers(url: string): Promise<boolean | undefined> {
  return fetch(url, { signal: AbortSignal.timeout(3_000) }).then(
    ({ status }) => status === 200,
    () => undefined,
  )
}
