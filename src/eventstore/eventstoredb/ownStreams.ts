// Which streams of a server belong to this log, and under which names the server has them.
import {
  eventTypeFilter,
  excludeSystemEvents,
  type Filter,
  streamNameFilter,
} from '@eventstore/db-client'
import type { EventFilter, RecordedEvent } from '../../ports/eventStore.ts'
import { sealForm } from '../core/eventSeals.ts'
import { type ClientEvent, isSystem, recorded } from './events.ts'

export interface OwnOptions {
  /** In front of the name of every stream on the server, and nowhere else; none by default. */
  prefix?: string
  /** What the names of the streams of this log begin with; without them all belong to it. */
  streamPrefixes?: readonly string[]
  /**
   * The types of event that are known. An event of another type that does not carry a seal either
   * was written by another application into a stream that is named like one of this log.
   */
  types?: readonly string[]
}

/** The streams of this log on a server that may hold those of others. */
export interface OwnStreams {
  /** The server's name of a stream. */
  nameOnServer(stream: string): string
  /** The name of a stream without the prefix; undefined for a stream of somebody else. */
  nameOf(nameOnServer: string): string | undefined
  /** The port's event; undefined for what does not belong to this log. */
  take(event: ClientEvent): RecordedEvent | undefined
  /**
   * A filter for the server that lets through at least what the port's filter wants of the own
   * streams; `take` and `passes` decide on what it lets through in excess.
   */
  serverFilter(filter: EventFilter | undefined, options: FilterOptions): Filter
  /** A filter for the server that lets through the metadata streams and the deletions. */
  metadataFilter(): Filter
  /** The same for the own streams with their metadata, as far as the names of the own are known. */
  changesFilter(): Filter
  /** The stream that a metadata stream is about; undefined for any other stream. */
  limitedBy(nameOnServer: string): string | undefined
}

/** How the server is to search, and whom it tells how far it has looked. */
export type FilterOptions = NonNullable<Parameters<typeof excludeSystemEvents>[0]>

/** What stands in front of the name of a stream in that of its metadata. */
export const metadataOf = '$$'

/** How many records the server looks at before it asks for the next part of a filtered read. */
const readWindow = 4_096

/** The streams that belong to a log; see OwnOptions. */
export function ownStreams({ prefix = '', streamPrefixes, types }: OwnOptions): OwnStreams {
  const own = (streamPrefixes ?? ['']).map(each => `${prefix}${each}`)
  const known = types && new Set(types)
  const isOwn = (name: string) => own.some(each => name.startsWith(each))
  const nameOf = (name: string) => (isOwn(name) ? name.slice(prefix.length) : undefined)
  const ofMetadata = own.map(each => `${metadataOf}${each}`)
  return {
    nameOnServer: stream => `${prefix}${stream}`,
    nameOf,
    take(event) {
      if (isSystem(event) || !isOwn(event.streamId)) return undefined
      if (known !== undefined && !known.has(event.type) && !isSealed(event)) return undefined
      return recorded(event, event.streamId.slice(prefix.length))
    },
    serverFilter(filter, options) {
      if (filter !== undefined && 'types' in filter) return typeFilter(filter.types, options)
      const isNarrow = filter !== undefined && 'streamPrefixes' in filter
      const wanted = isNarrow ? filter.streamPrefixes.map(each => `${prefix}${each}`) : ['']
      return nameFilter(common(own, wanted), options)
    },
    metadataFilter: () => streamNameFilter({ ...readOptions, prefixes: ofMetadata }),
    changesFilter: () =>
      own.includes('')
        ? excludeSystemEvents(readOptions)
        : streamNameFilter({ ...readOptions, prefixes: [...own, ...ofMetadata] }),
    limitedBy: name =>
      name.startsWith(metadataOf) ? nameOf(name.slice(metadataOf.length)) : undefined,
  }
}

/** What a filtered read asks of the server. */
export const readOptions: FilterOptions = { maxSearchWindow: readWindow }

/** Others may have a field of that name, such as the address of a network card. */
function isSealed({ metadata }: ClientEvent): boolean {
  if (typeof metadata !== 'object' || metadata === null || !('mac' in metadata)) return false
  return typeof metadata.mac === 'string' && sealForm.test(metadata.mac)
}

/** The prefixes of what has a prefix of both lists. */
function common(some: readonly string[], others: readonly string[]): string[] {
  const both = some.flatMap(one =>
    others.flatMap(other => {
      if (other.startsWith(one)) return [other]
      return one.startsWith(other) ? [one] : []
    }),
  )
  return [...new Set(both)]
}

function nameFilter(prefixes: string[], options: FilterOptions): Filter {
  // An empty prefix lets everything through, and an empty list is an error to the server.
  if (prefixes.includes('')) return excludeSystemEvents(options)
  if (prefixes.length === 0) return eventTypeFilter({ ...options, regex: '^(?!)' })
  return streamNameFilter({ ...options, prefixes })
}

function typeFilter(types: readonly string[], options: FilterOptions): Filter {
  if (types.includes('')) return excludeSystemEvents(options)
  if (types.length === 0) return eventTypeFilter({ ...options, regex: '^(?!)' })
  return eventTypeFilter({ ...options, prefixes: [...types] })
}
