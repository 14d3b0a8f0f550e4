// A client that survives the server: it writes each key down before it sends, and asks until told.
import { randomUUID } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

export interface Decided {
  key: string
  status: number
  body: { orderId?: string; type?: string; [field: string]: unknown }
  /** How often it was asked; more than once where an outcome was unknown. */
  attempts: number
  replayed: boolean
}

export interface PersistentClient {
  /** Asks until the answer is a decision: neither silence nor 5xx. Throws after a minute. */
  decide(method: string, path: string, body: unknown): Promise<Decided>
  /** Asks once and gives up when that is not answered: nobody will ever retry. */
  once(method: string, path: string, body: unknown): Promise<Decided | undefined>
}

const patienceMs = 60_000

/**
 * A client with a token that keeps its history as ndjson in a file. `url` is asked for each
 * attempt, so that a retry can go to another node.
 */
export function persistentClient(
  url: () => string,
  token: string,
  history: string,
): PersistentClient {
  const note = (entry: object) => appendFileSync(history, `${JSON.stringify(entry)}\n`)
  const attempt = (key: string, { method, path, body }: Request) =>
    ask(`${url()}/api${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
      body: JSON.stringify(body),
    })
  const begin = (request: Request) => {
    const key = randomUUID()
    note({ key, ...request })
    return key
  }
  const end = (decided: Decided) => {
    note(decided)
    return decided
  }
  return {
    async decide(method, path, body) {
      const request = { method, path, body }
      const key = begin(request)
      const deadline = performance.now() + patienceMs
      for (let attempts = 1; ; attempts += 1) {
        const answer = await attempt(key, request)
        if (answer !== undefined) return end({ key, attempts, ...answer })
        if (performance.now() > deadline) throw new Error(`${method} ${path} stays undecided`)
        await pause(50)
      }
    },
    async once(method, path, body) {
      const request = { method, path, body }
      const key = begin(request)
      const answer = await attempt(key, request)
      return answer && end({ key, attempts: 1, ...answer })
    },
  }
}

interface Request {
  method: string
  path: string
  body: unknown
}

async function ask(url: string, request: RequestInit) {
  try {
    const response = await fetch(url, { ...request, signal: AbortSignal.timeout(10_000) })
    const body: Decided['body'] = JSON.parse(await response.text())
    if (response.status >= 500) return undefined
    const replayed = response.headers.get('idempotent-replayed') === 'true'
    return { status: response.status, body, replayed }
  } catch {
    return undefined
  }
}
