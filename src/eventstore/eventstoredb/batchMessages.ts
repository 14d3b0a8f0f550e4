// What is said over a call of many appends to EventStoreDB: requests, and what they are answered.
import { randomBytes } from 'node:crypto'
import sharedPb from '@eventstore/db-client/generated/shared_pb.js'
import type statusPb from '@eventstore/db-client/generated/status_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { isTransientAnswer } from '../../kit/transient.ts'
import { type ActualRevision, type ExpectedRevision, Unavailable } from '../../ports/eventStore.ts'

const { BatchAppendReq } = streamsPb

/** An append as it is sent: JSON as bytes. */
export interface BatchedAppend {
  /** The server's name of it. */
  stream: string
  expected: ExpectedRevision
  events: readonly EncodedEvent[]
}

export interface EncodedEvent {
  id: string
  type: string
  data: Buffer
  metadata: Buffer
}

/** Where the last event is, or where the stream really was. */
export type Answer =
  | { kind: 'written'; revision: number; position: bigint | undefined }
  | { kind: 'wrong-revision'; actual: ActualRevision }

/** This append has to be sent by itself: nothing of it was written. */
export class SendAlone extends Error {}

/** Ids that are never given twice, in this process or another. */
export function correlationIds(): () => string {
  const random = randomBytes(10).toString('hex')
  const [a, b, c] = [random.slice(0, 8), random.slice(8, 12), random.slice(12, 16)]
  let last = 0
  return () => {
    last += 1
    return `${a}-${b}-${c}-${random.slice(16)}-${last.toString(16).padStart(12, '0')}`
  }
}

/** The one message of an append. Without a deadline: the clocks of the two need not agree. */
export function requestOf(id: string, { stream, expected, events }: BatchedAppend) {
  const options = new BatchAppendReq.Options()
  options.setStreamIdentifier(new sharedPb.StreamIdentifier().setStreamName(Buffer.from(stream)))
  if (expected === 'any') options.setAny(new sharedPb.Empty())
  else if (expected === 'exists') options.setStreamExists(new sharedPb.Empty())
  else if (expected === 'no-stream') options.setNoStream(new sharedPb.Empty())
  else options.setStreamPosition(String(expected))
  return new BatchAppendReq()
    .setCorrelationId(new sharedPb.UUID().setString(id))
    .setOptions(options)
    .setProposedMessagesList(events.map(proposed))
    .setIsFinal(true)
}

function proposed({ id, type, data, metadata }: EncodedEvent) {
  const message = new BatchAppendReq.ProposedMessage()
  message.setId(new sharedPb.UUID().setString(id))
  message.getMetadataMap().set('type', type).set('content-type', 'application/json')
  message.setData(data)
  message.setCustomMetadata(metadata)
  return message
}

/** The id of the append that is answered; servers give it back in the one form or the other. */
export function correlationOf(response: streamsPb.BatchAppendResp): string {
  const id = response.getCorrelationId()
  const structured = id?.getStructured()
  if (structured === undefined) return id?.getString().toLowerCase() ?? ''
  const [most, least] = [
    structured.getMostSignificantBits(),
    structured.getLeastSignificantBits(),
  ].map(bits => BigInt.asUintN(64, BigInt(bits)).toString(16).padStart(16, '0'))
  return `${most}${least}`.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** What a server has answered; throws what it has refused. */
export function answerOf(response: streamsPb.BatchAppendResp): Answer {
  const success = response.getSuccess()
  if (success !== undefined) {
    const position = success.getPosition()?.getCommitPosition()
    return {
      kind: 'written',
      revision: Number(success.getCurrentRevision()),
      position: position === undefined ? undefined : BigInt(position),
    }
  }
  const error = response.getError()
  if (error === undefined) throw new Unavailable('EventStoreDB has answered nothing')
  return refused(error)
}

/**
 * A refusal. What is about the state of the server may pass by itself: without a code it is one
 * that is not ready, is busy or has lost its leader. Of all else nothing was written, and the
 * answer to a single append says best why.
 */
function refused(error: statusPb.Status): Answer {
  const details = error.getDetails()
  if (details?.getTypeName() === 'event_store.client.WrongExpectedVersion') {
    const wrong = sharedPb.WrongExpectedVersion.deserializeBinary(details.getValue_asU8())
    const current = wrong.hasCurrentStreamRevision() ? wrong.getCurrentStreamRevision() : undefined
    return { kind: 'wrong-revision', actual: current === undefined ? 'no-stream' : Number(current) }
  }
  const code: number = error.getCode()
  if (code !== 0 && !isTransientAnswer(code)) throw new SendAlone()
  throw new Unavailable(`EventStoreDB has not written an append: ${error.getMessage()}`)
}
