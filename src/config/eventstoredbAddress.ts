// Addresses of EventStoreDB and KurrentDB, as the documentation of the servers writes them.

/** Options whose value is read as text, as a number or as true or false. */
const texts = ['connectionName', 'tlsCaFile', 'userCertFile', 'userKeyFile'] as const
const numbers = [
  ...['maxDiscoverAttempts', 'discoveryInterval', 'gossipTimeout'],
  ...['defaultDeadline', 'keepAliveInterval', 'keepAliveTimeout'],
] as const
const flags = ['tls', 'tlsVerifyCert', 'throwOnAppendFailure'] as const

export interface EventStoreAddress {
  /** Without a port it is 2113; IPv6 addresses are in brackets. */
  hosts: readonly { address: string; port: number }[]
  /** The hosts are to be asked for the nodes of a cluster; otherwise there is one node. */
  isCluster: boolean
  credentials: { username: string; password: string } | undefined
  texts: { readonly [name in string]?: string }
  /** As the server's documentation has them: milliseconds, but for `gossipTimeout` (seconds). */
  numbers: { readonly [name in string]?: number }
  flags: { readonly [name in string]?: boolean }
}

const schemes = /^(esdb|kurrentdb|kurrent|kdb)(\+discover)?:\/\//i
const shape = /^(?:(?<user>[^/?]*)@)?(?<hosts>[^/?@]*)\/?(?:\?(?<query>.*))?$/s
const hostShape = /^(?<address>\[[0-9a-f:.]+\]|[\w.-]+)(?::(?<port>\d+))?$/i
const defaultPort = 2_113

/** What is wrong with an address; says nothing that is in it but names of hosts and options. */
export class AddressFault extends Error {
  override readonly name = 'AddressFault'
}

/**
 * Reads `esdb://…`, `kurrentdb://…` and both with `+discover`: with one host or several, name and
 * password, certificates and options. Throws AddressFault, whose message is one line.
 */
export function readEventStoreAddress(text: string): EventStoreAddress {
  const scheme = schemes.exec(text.trim())
  if (scheme === null) throw new AddressFault('it begins with neither esdb:// nor kurrentdb://')
  const parts = shape.exec(text.trim().slice(scheme[0].length))?.groups
  if (parts === undefined) throw new AddressFault('behind the hosts comes ? and nothing else')
  const hosts = (parts.hosts ?? '').split(',').map(readHost)
  return {
    hosts,
    isCluster: scheme[2] !== undefined || hosts.length > 1,
    credentials: parts.user === undefined ? undefined : readCredentials(parts.user),
    ...readOptions(parts.query ?? ''),
  }
}

function readHost(text: string): { address: string; port: number } {
  const parts = hostShape.exec(text.trim())?.groups
  if (parts?.address === undefined) throw new AddressFault('a host is missing or no host')
  const port = parts.port === undefined ? defaultPort : Number(parts.port)
  if (port < 1 || port > 65_535) throw new AddressFault(`${port} is no port`)
  return { address: parts.address, port }
}

function readCredentials(text: string): { username: string; password: string } {
  const [username = '', ...rest] = text.split(':')
  const faulty = new AddressFault(
    'name and password are name:password@, with %XX for : / ? # @ % in them',
  )
  if (username === '' || rest.length !== 1) throw faulty
  try {
    return {
      username: decodeURIComponent(username),
      password: decodeURIComponent(rest.join(':')),
    }
  } catch {
    throw faulty
  }
}

function readOptions(query: string): Pick<EventStoreAddress, 'texts' | 'numbers' | 'flags'> {
  const found = { texts: {}, numbers: {}, flags: {} }
  const seen = new Set<string>()
  for (const pair of query === '' ? [] : query.split('&')) {
    const [optionName = '', value = ''] = split(pair)
    const name = nameOf(optionName)
    if (name === undefined) throw new AddressFault(`it has no option ${quoted(optionName)}`)
    if (seen.has(name)) throw new AddressFault(`${name} is there twice`)
    seen.add(name)
    if (includes(texts, name)) Object.assign(found.texts, { [name]: readText(name, value) })
    else if (includes(numbers, name))
      Object.assign(found.numbers, { [name]: toNumber(name, value) })
    else if (includes(flags, name)) Object.assign(found.flags, { [name]: toFlag(name, value) })
    else assertLeader(value)
  }
  if (seen.has('userCertFile') !== seen.has('userKeyFile')) {
    throw new AddressFault('userCertFile and userKeyFile belong together')
  }
  return found
}

function split(pair: string): [name: string, value: string] {
  const at = pair.indexOf('=')
  return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
}

/** Options are known in any case, and with dashes or underscores between their words. */
function nameOf(optionName: string): string | undefined {
  const flat = (text: string) => text.toLowerCase().replace(/[_-]/g, '')
  const names = [...texts, ...numbers, ...flags, 'nodePreference']
  return names.find(name => flat(name) === flat(optionName))
}

function includes(names: readonly string[], name: string): boolean {
  return names.includes(name)
}

function readText(name: string, value: string): string {
  try {
    return checked(name, decodeURIComponent(value))
  } catch (error) {
    if (error instanceof AddressFault) throw error
    throw new AddressFault(`${name} has no value`)
  }
}

/** It is sent in a header, or names a file: neither can hold every text. */
function checked(name: string, text: string): string {
  if (text === '') throw new AddressFault(`${name} has no value`)
  if (name === 'connectionName' && !/^[ -~]+$/.test(text)) {
    throw new AddressFault('connectionName is plain ASCII')
  }
  if (text.includes('\0')) throw new AddressFault(`${name} is no path of a file`)
  return text
}

function toNumber(name: string, value: string): number {
  const minimum = name.startsWith('keepAlive') ? -1 : 1
  const number = /^-?\d{1,9}$/.test(value) ? Number(value) : Number.NaN
  if (number >= minimum) return number
  throw new AddressFault(`${name} is a whole number, ${minimum} at least`)
}

function toFlag(name: string, value: string): boolean {
  if (/^(true|false)$/i.test(value)) return value.toLowerCase() === 'true'
  throw new AddressFault(`${name} is true or false`)
}

/** Reads from a follower would miss the newest writes. */
function assertLeader(value: string): void {
  if (value.toLowerCase() === 'leader') return
  throw new AddressFault('nodePreference can only be leader: a shop reads what it has just written')
}

function quoted(text: string): string {
  return /^[\w.-]{1,40}$/.test(text) ? text : 'of that name'
}
