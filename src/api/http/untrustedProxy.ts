// Warns the operator of a proxy that TRUST_PROXY does not name.
import type { FastifyInstance } from 'fastify'
import { isLocalAddress } from './addresses.ts'

/** This many requests within a minute are no accident; one warning in ten minutes is enough. */
const requestsMin = 20
const minuteMs = 60_000
const quietMs = 10 * minuteMs

/**
 * Warns when X-Forwarded-For often comes from a peer that is not trusted: all callers behind such a
 * proxy have one address, and share its rate limits.
 */
export function warnOfUntrustedProxies(server: FastifyInstance): void {
  let count = 0
  let since = Number.NEGATIVE_INFINITY
  let warnedAt = Number.NEGATIVE_INFINITY
  server.addHook('onRequest', (request, _, done) => {
    const peer = request.socket.remoteAddress
    // The address of a request differs from its peer's where the peer is trusted.
    if (request.headers['x-forwarded-for'] === undefined || request.ip !== peer) return done()
    const now = performance.now()
    if (now - since > minuteMs) {
      since = now
      count = 0
    }
    count += 1
    if (count >= requestsMin && now - warnedAt > quietMs) {
      warnedAt = now
      // Other peers may be people, whom the log does not name.
      const proxy = isLocalAddress(peer) ? peer : undefined
      request.log.warn({ event: 'untrusted-proxy', requests: count, proxy }, warning)
    }
    done()
  })
}

const warning =
  'X-Forwarded-For comes from an address that TRUST_PROXY does not name: all callers behind it ' +
  'count as one. Where it is a proxy of yours, add it to TRUST_PROXY'
