// The address that a request counts for.
import { isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'

/** One subscriber has 2^64 IPv6 addresses, so the network of an address stands for all of them. */
export function addressOf(ip: string): string {
  if (!isIPv6(ip)) return ip
  const address = ipaddr.process(ip)
  if (address instanceof ipaddr.IPv4) return address.toString()
  const network = address.parts.slice(0, 4).map(part => part.toString(16))
  return `${network.join(':')}::/64`
}

const localRanges = new Set(['private', 'loopback', 'uniqueLocal', 'linkLocal'])

/** Whether an address is of a private network, as those of proxies are. */
export function isLocalAddress(ip: string): boolean {
  return ipaddr.isValid(ip) && localRanges.has(ipaddr.process(ip).range())
}
