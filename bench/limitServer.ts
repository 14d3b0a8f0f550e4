// The limits of HTTP benchmarks, as a process that is started like the shop it is compared to.
import { startHelper } from './child.ts'
import type { LeastWork } from './leastWork.ts'

export interface Limits {
  databaseUrl: string
  /** What GET /static answers. */
  bytes: string
  /** What GET /select/:id asks the database, with the id as $1. */
  select: string
  /** Adds the bare route of a command; the settings are those of the shop. */
  bare?: { work: LeastWork; settings: Record<string, string> } | undefined
}

export interface LimitServer {
  url: string
  pid: number
  stop(): Promise<void>
}

/** Tells what a limit server is to do from whatever else could arrive between processes. */
export function isLimits(message: unknown): message is Limits {
  return typeof message === 'object' && message !== null && 'bytes' in message
}

/** Starts one: POST /echo, GET /static, GET /select/:id, and a bare route. */
export async function startLimits(
  databaseUrl: string,
  { bytes = '', select = 'select $1::text', bare }: Partial<Omit<Limits, 'databaseUrl'>> = {},
): Promise<LimitServer> {
  const helper = startHelper('limits.ts')
  const answer = await helper.ask({ databaseUrl, bytes, select, bare })
  if (typeof answer !== 'object' || answer === null || !('url' in answer)) {
    throw new Error(`the limit server did not start: ${helper.said()}`)
  }
  return { url: String(answer.url), pid: helper.pid, stop: helper.stop }
}
