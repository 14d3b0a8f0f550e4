// Tells the operator of a proxy that TRUST_PROXY does not name.
import { BlockList, isIPv6 } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** So many requests within a minute are no accident; one warning in ten minutes is enough. */
const often = 20
const minuteMs = 60_000
const quietMs = 10 * minuteMs

/** Where proxies stand. Elsewhere it may be a person, whom the log does not name. */
const inside = new BlockList()
for (const network of ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '127.0.0.0/8']) {
  const [address = '', bits] = network.split('/')
  inside.addSubnet(address, Number(bits))
}
inside.addSubnet('fc00::', 7, 'ipv6')
inside.addSubnet('fe80::', 10, 'ipv6')
inside.addAddress('::1', 'ipv6')

/**
 * Warns when X-Forwarded-For comes from a peer that is not trusted, often: behind a proxy that the
 * shop does not know all callers have one address, and share what an address may do.
 */
export function warnOfUntrustedProxies(server: FastifyInstance): void {
  let count = 0
  let since = Number.NEGATIVE_INFINITY
  let warnedAt = Number.NEGATIVE_INFINITY
  server.addHook('onRequest', (request, _, done) => {
    const peer = request.socket.remoteAddress
    // Of a peer that is trusted, the address is what the header says.
    if (request.headers['x-forwarded-for'] === undefined || request.ip !== peer) return done()
    const now = performance.now()
    if (now - since > minuteMs) {
      since = now
      count = 0
    }
    count += 1
    if (count >= often && now - warnedAt > quietMs) {
      warnedAt = now
      const proxy = isInside(peer) ? peer : undefined
      request.log.warn({ event: 'untrusted-proxy', requests: count, proxy }, warning)
    }
    done()
  })
}

const warning =
  'X-Forwarded-For comes from an address that TRUST_PROXY does not name: all who come through it ' +
  'count as one. Where it is a proxy of yours, add it to TRUST_PROXY'

function isInside(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  return inside.check(mapped ?? address, mapped === undefined && isIPv6(address) ? 'ipv6' : 'ipv4')
}
