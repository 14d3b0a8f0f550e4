// Sends webhooks to addresses that strangers have named: never into a network of ours.
import { lookup as resolve } from 'node:dns'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { codeOf } from '../../kit/errorCode.ts'
import type { WebhookAnswer, WebhookRequest, WebhookSender } from '../../ports/webhooks.ts'

export interface SenderOptions {
  /** Networks that are ours and may be sent to all the same, over plain http as well. */
  allowedNetworks: readonly string[]
  timeoutMs?: number
  /** In place of the system's resolver. */
  lookup?: LookupFunction
}

const defaultTimeoutMs = 10_000
/** Of an answer nothing but its status is of use. */
const answerBytesMax = 16 * 1024
/** Deadline for the body after the headers, so that a slow receiver does not hold a slot. */
const answerMs = 2_000

/** What is not the open internet, by RFC 6890 and its updates. */
const closed4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const
/** Of IPv6 only global unicast is open, but for what tunnels IPv4 or is for documentation. */
const open6 = [['2000::', 3]] as const
const closed6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const

/** Sends to the open internet over https, and to the allowed networks. */
export function createWebhookSender(options: SenderOptions): WebhookSender {
  const { timeoutMs = defaultTimeoutMs, lookup = systemResolve } = options
  const guard = createGuard(options.allowedNetworks)
  const guarded = guardedResolve(lookup, guard)
  const refusalOf = (text: string) => refusal(text, guard, options.allowedNetworks.length > 0)
  return {
    refusalOf,
    send(request) {
      const refused = refusalOf(request.url)
      if (refused !== undefined) return Promise.resolve({ error: 'refused' })
      return send(request, guarded, timeoutMs)
    },
  }
}

interface Guard {
  /** Whether an address may be connected to, over plain http or not. */
  allows(address: string, isPlain: boolean): boolean
}

function createGuard(networks: readonly string[]): Guard {
  const allowed = listOf(networks.map(network => network.split('/')))
  const [closed, open] = [listOf([...closed4, ...closed6]), listOf(open6)]
  return {
    allows(address, isPlain) {
      const family = isIP(address)
      const kind = family === 4 ? 'ipv4' : 'ipv6'
      if (family === 0) return false
      if (allowed.check(address, kind)) return true
      if (isPlain || closed.check(address, kind)) return false
      return family === 4 || open.check(address, kind)
    },
  }
}

function listOf(networks: readonly (readonly (string | number | undefined)[])[]): BlockList {
  const list = new BlockList()
  for (const [network = '', bits] of networks) {
    const address = String(network)
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    list.addSubnet(address, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family)
  }
  return list
}

function refusal(text: string, guard: Guard, plainIsPossible: boolean): string | undefined {
  const url = URL.parse(text)
  if (url === null) return 'This is no URL.'
  const isPlain = url.protocol === 'http:'
  if (url.protocol !== 'https:' && !(isPlain && plainIsPossible)) return 'Only https is safe.'
  if (url.username !== '' || url.password !== '') return 'A URL here has no user and no password.'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) === 0 || guard.allows(host, isPlain)) return undefined
  return 'This address is not on the open internet.'
}

const systemResolve: LookupFunction = (host, options, done) => resolve(host, options, done)

/**
 * The socket connects to what this gives, so what was checked is what is connected to: a name that
 * means something else a moment later gets nowhere. One closed address among several is enough.
 */
function guardedResolve(lookup: LookupFunction, guard: Guard) {
  return (isPlain: boolean): LookupFunction =>
    (host, options, done) =>
      lookup(host, { ...options, all: true }, (error, found) => {
        if (error !== null) return done(error, '')
        const addresses = Array.isArray(found) ? found : [{ address: found, family: isIP(found) }]
        const isOpen =
          addresses.length > 0 && addresses.every(({ address }) => guard.allows(address, isPlain))
        if (!isOpen) return done(Object.assign(new Error('refused'), { code: 'REFUSED' }), '')
        if (options.all === true) return done(null, addresses)
        const [first] = addresses
        done(null, first?.address ?? '', first?.family)
      })
}

function send(
  { url, headers, body }: WebhookRequest,
  lookup: (isPlain: boolean) => LookupFunction,
  timeoutMs: number,
): Promise<WebhookAnswer> {
  const isPlain = url.startsWith('http:')
  const start = isPlain ? requestHttp : requestHttps
  return new Promise(answer => {
    const request = start(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      lookup: lookup(isPlain),
      // A connection of its own each time: one that is kept was checked for another name.
      agent: false,
      // For the whole exchange, so that a slow receiver cannot hold a worker.
      signal: AbortSignal.timeout(timeoutMs),
    })
    const failed = (error: Error) => answer({ error: wordFor(error) })
    request.on('error', failed)
    request.on('response', response => {
      let bytes = 0
      // Redirects are not followed: 3xx is an answer like any other that is not 2xx.
      const done = () => {
        clearTimeout(ending)
        answer({ status: response.statusCode ?? 0 })
        request.destroy()
      }
      const ending = setTimeout(done, answerMs)
      response.on('data', (piece: Buffer) => {
        bytes += piece.length
        if (bytes > answerBytesMax) done()
      })
      response.on('end', done)
      response.on('error', done)
    })
    request.end(body)
  })
}

/** A code, never a sentence: what a TLS library says may quote more than it should. */
function wordFor(error: Error): string {
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return 'timeout'
  const code = codeOf(error)
  return /^\w{1,60}$/.test(code) ? code.toLowerCase() : 'failed'
}
