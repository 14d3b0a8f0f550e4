// Which streams of an EventStoreDB server are the shop's.
import Type from 'typebox'
import { streamPrefixes } from '../domain/index.ts'

/** Streams that begin with it are nobody else's: those of `a.` may begin with `a.order-`. */
function isStreamPrefix(text: string): boolean {
  return !streamPrefixes.some(own => text.includes(own))
}

export const eventStoreSchema = {
  EVENTSTORE_STREAM_PREFIX: Type.Refine(
    Type.String({
      default: '',
      maxLength: 100,
      pattern: '^([A-Za-z0-9._-]+)?$',
      description:
        'letters, digits, dots, underscores and dashes, such as shop1. (it may not contain the ' +
        'beginning of a stream of a shop, such as order-)',
    }),
    isStreamPrefix,
  ),
}
