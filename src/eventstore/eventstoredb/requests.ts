// Requests for reads of EventStoreDB, for calls that do not go through the client's own methods.
import type { Filter } from '@eventstore/db-client'
import sharedPb from '@eventstore/db-client/generated/shared_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { type Position, startOfLog } from '../../kit/position.ts'

const { ReadReq } = streamsPb
const { AllOptions, FilterOptions, SubscriptionOptions, UUIDOption } = ReadReq.Options

const everything = Number.MAX_SAFE_INTEGER
const { BACKWARDS: backwards } = ReadReq.Options.ReadDirection

/** Asks for everything behind a position and what comes after, as far as it passes a filter. */
export function subscriptionRequest(after: Position, filter: Filter | undefined) {
  const options = requestOfAll(after, filter).setSubscription(new SubscriptionOptions())
  return new ReadReq().setOptions(options)
}

/**
 * Asks for events that pass a filter from a position on, with the one that is there: all of them,
 * or so many.
 */
export function readRequest(from: Position, filter: Filter | undefined, count = everything) {
  return new ReadReq().setOptions(requestOfAll(from, filter).setCount(String(count)))
}

/** Asks for so many events before a position, or before the end, the newest first. */
export function backwardsRequest(
  before: Position | undefined,
  filter: Filter | undefined,
  count: number,
) {
  const options = requestOfAll(before ?? startOfLog, filter).setCount(String(count))
  if (before === undefined) options.setAll(new AllOptions().setEnd(new sharedPb.Empty()))
  return new ReadReq().setOptions(options.setReadDirection(backwards))
}

function requestOfAll(from: Position, filter: Filter | undefined): streamsPb.ReadReq.Options {
  const all = new AllOptions()
  if (from === startOfLog) all.setStart(new sharedPb.Empty())
  else all.setPosition(positionAt(from))
  const options = new ReadReq.Options().setAll(all)
  options.setUuidOption(new UUIDOption().setString(new sharedPb.Empty()))
  if (filter === undefined) return options.setNoFilter(new sharedPb.Empty())
  return options.setFilter(filterOptions(filter))
}

function positionAt(position: Position): streamsPb.ReadReq.Options.Position {
  const at = String(position)
  return new ReadReq.Options.Position().setCommitPosition(at).setPreparePosition(at)
}

function filterOptions(filter: Filter): streamsPb.ReadReq.Options.FilterOptions {
  const expression = new FilterOptions.Expression()
  if ('prefixes' in filter) expression.setPrefixList(filter.prefixes)
  else expression.setRegex(filter.regex)
  const options = new FilterOptions()
  if (filter.filterOn === 'streamName') options.setStreamIdentifier(expression)
  else options.setEventType(expression)
  if (filter.maxSearchWindow === undefined) options.setCount(new sharedPb.Empty())
  else options.setMax(filter.maxSearchWindow)
  return options.setCheckpointintervalmultiplier(filter.checkpointInterval)
}
