// Named rate limits, and their headers.
import type { FastifyReply } from 'fastify'
import type { Counted, Counter } from '../../ports/requests.ts'
import { HttpProblem } from './problems.ts'

/** A limit with a name. */
export interface Policy extends Counter {
  /** As in RateLimit-Policy. */
  text: string
  name: string
}

/** Counts under a policy, and throws a 429 problem above its limit. */
export async function consume(
  policy: Policy,
  key: string,
  reply: FastifyReply,
  { times = 1, learn }: { times?: number; learn?: (counted: Counted) => void } = {},
): Promise<void> {
  const counted = await countRequest(policy, key, reply, times)
  learn?.(counted)
  const { allowed, resetSeconds } = counted
  if (allowed) return
  throw new HttpProblem(
    'request/too-many',
    'The rate limit is exceeded. Retry after the time given in Retry-After.',
    {
      policy: policy.name,
      retryAfterSeconds: resetSeconds,
    },
  )
}

/** Counts a request and sets the RateLimit headers. */
export async function countRequest(
  policy: Policy,
  key: string,
  reply: FastifyReply,
  times = 1,
): Promise<Counted> {
  const counted = await policy.count(key, times)
  setHeaders(reply, policy, counted)
  if (!counted.allowed) {
    reply.request.log.warn({ event: 'rate-limited', policy: policy.name }, 'rate limit reached')
  }
  return counted
}

/** Sets the RateLimit headers. */
export function setHeaders(
  reply: FastifyReply,
  { name, text }: Policy,
  { remaining, resetSeconds }: Pick<Counted, 'remaining' | 'resetSeconds'>,
): void {
  appendTo(reply, 'ratelimit-policy', text)
  appendTo(reply, 'ratelimit', `"${name}";r=${remaining};t=${resetSeconds}`)
}

/** A request can be counted under several policies: the header is a list. */
function appendTo(reply: FastifyReply, header: string, text: string): void {
  const before = reply.getHeader(header)
  reply.header(header, before === undefined ? text : `${before}, ${text}`)
}
