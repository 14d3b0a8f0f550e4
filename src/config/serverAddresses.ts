// The addresses of servers that a shop needs: what is wrong with one, in words without a secret.
import Type from 'typebox'
import { AddressFault, readEventStoreAddress } from './eventstoredbAddress.ts'

const oneHost = 'it names one host: put a proxy or a virtual address in front of several'

/** PostgreSQL has a host, or a directory with its socket. */
function postgresFault(text: string): string | undefined {
  if (hasHosts(text)) return oneHost
  const parsed = URL.parse(text)
  if (parsed === null || !/^postgres(ql)?:$/.test(parsed.protocol)) return 'it is no postgres://…'
  const host = parsed.host || parsed.searchParams.get('host')
  return host ? undefined : 'it names neither a host nor the directory of a socket (?host=/run/…)'
}

function redisFault(text: string): string | undefined {
  if (/^\S*sentinel\S*:\/\//i.test(text)) return 'Sentinel is not asked: name the master itself'
  if (hasHosts(text)) return oneHost
  const parsed = URL.parse(text)
  if (parsed === null || !/^rediss?:$/.test(parsed.protocol))
    return 'it is no redis://… or rediss://…'
  if (parsed.host === '') return 'it names no host'
  return /^\/?\d{0,5}$/.test(parsed.pathname) ? undefined : 'a number of a database ends it'
}

function eventStoreFault(text: string): string | undefined {
  try {
    readEventStoreAddress(text)
    return undefined
  } catch (error) {
    if (error instanceof AddressFault) return error.message
    throw error
  }
}

function hasHosts(text: string): boolean {
  return /^\w+:\/\/([^/?]*@)?[^/?@]*,/.test(text)
}

type FaultOf = (text: string) => string | undefined

function address(example: string, faultOf: FaultOf) {
  const description = `a URL such as ${example}`
  return Type.Refine(Type.String({ description }), text => faultOf(text) === undefined)
}

/** The part of the schema of settings that is about servers. */
export const addressSchema = {
  DATABASE_URL: address('postgres://user:password@host:5432/name', postgresFault),
  REDIS_URL: address('redis://:password@host:6379', redisFault),
  CACHE_REDIS_URL: Type.Optional(address('redis://:password@host:6379', redisFault)),
  EVENTSTORE_URL: Type.Optional(
    address(
      'esdb://host:2113?tls=false (leave it out to keep the events in PostgreSQL)',
      eventStoreFault,
    ),
  ),
}

/** By setting. */
export const addressFaults: Readonly<Record<string, FaultOf>> = {
  DATABASE_URL: postgresFault,
  REDIS_URL: redisFault,
  CACHE_REDIS_URL: redisFault,
  EVENTSTORE_URL: eventStoreFault,
}
