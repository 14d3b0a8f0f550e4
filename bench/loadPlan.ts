// What the load generator is told to do, and what it says about it afterwards.

/** One request as it is sent, again and again. */
export interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  token?: string
  /** Further headers, by name. */
  headers?: Readonly<Record<string, string>>
  body?: unknown
  /** Whether each sending gets an Idempotency-Key of its own. */
  keyed?: boolean
}

export interface LoadPlan {
  /** The server, or several that the connections are dealt out to. */
  url: string | readonly string[]
  /** What each connection sends, one after the other; as many connections as there are lists. */
  lanes: Call[][]
  /** Every other status is an error, and a benchmark with errors has no figure. */
  expects: number[]
  /** Goes through the lists again and again for so long; without it, once. */
  forMs?: number
  /**
   * Sends when a request is due, whether the one before was slow; without it, as fast as it can.
   */
  perSecond?: number
}

export interface LoadResult {
  requests: number
  perSecond: number
  p50Ms: number
  p99Ms: number
  statuses: Record<string, number>
  /** The first answers that were not expected, for the message. */
  surprises: string[]
}

/** Tells a plan from whatever else could arrive between processes. */
export function isLoadPlan(message: unknown): message is LoadPlan {
  return typeof message === 'object' && message !== null && 'lanes' in message
}

/** Tells a result from whatever else could arrive between processes. */
export function isLoadResult(message: unknown): message is LoadResult {
  return typeof message === 'object' && message !== null && 'statuses' in message
}

/** How many answers were not what the plan expects. */
export function unexpected(result: LoadResult, expects: readonly number[]): number {
  return Object.entries(result.statuses)
    .filter(([status]) => !expects.includes(Number(status)))
    .reduce((sum, [, count]) => sum + count, 0)
}
