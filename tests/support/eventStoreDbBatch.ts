// The batch append of the EventStoreDB stub, which the client prefers where a server offers it.
import featuresPb from '@eventstore/db-client/generated/serverfeatures_pb.js'
import sharedPb from '@eventstore/db-client/generated/shared_pb.js'
import statusPb from '@eventstore/db-client/generated/status_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import type * as Grpc from '@grpc/grpc-js'
import anyPb from 'google-protobuf/google/protobuf/any_pb.js'
import emptyPb from 'google-protobuf/google/protobuf/empty_pb.js'
import type { Expected, Outcome, Proposed, ServerLog } from './eventStoreDbLog.ts'

const { BatchAppendResp } = streamsPb

type Call = Grpc.ServerDuplexStream<streamsPb.BatchAppendReq, streamsPb.BatchAppendResp>

interface Pending {
  options: streamsPb.BatchAppendReq.Options
  events: Proposed[]
}

/** Answers each batch append of a call as its last message arrives, in any order of streams. */
export function batchAppends(log: ServerLog): (call: Call) => void {
  return call => {
    const pending = new Map<string, Pending>()
    call.on('error', () => undefined)
    call.on('end', () => call.end())
    call.on('data', (message: streamsPb.BatchAppendReq) => {
      const key = message.getCorrelationId()?.getString() ?? ''
      const options = message.getOptions() ?? pending.get(key)?.options
      if (options === undefined) return
      const events = message.getProposedMessagesList().map(proposed)
      const request = { options, events: [...(pending.get(key)?.events ?? []), ...events] }
      if (message.getIsFinal()) {
        pending.delete(key)
        call.write(answer(log, request).setCorrelationId(message.getCorrelationId()))
      } else {
        pending.set(key, request)
      }
    })
  }
}

/** What a server says of itself that offers batch appends. */
export function supportedMethods(): featuresPb.SupportedMethods {
  const method = new featuresPb.SupportedMethod()
  method.setServiceName('event_store.client.streams.streams')
  method.setMethodName('batchappend')
  const methods = new featuresPb.SupportedMethods()
  methods.addMethods(method)
  return methods.setEventStoreServerVersion('24.10.0')
}

function proposed(event: streamsPb.BatchAppendReq.ProposedMessage): Proposed {
  return {
    id: event.getId()?.getString().toLowerCase() ?? '',
    type: event.getMetadataMap().get('type') ?? '',
    contentType: event.getMetadataMap().get('content-type') ?? '',
    data: event.getData_asU8(),
    metadata: event.getCustomMetadata_asU8(),
  }
}

function answer(log: ServerLog, { options, events }: Pending): streamsPb.BatchAppendResp {
  const identifier = options.getStreamIdentifier()
  const stream = Buffer.from(identifier?.getStreamName_asU8() ?? []).toString('utf8')
  const outcome = log.append(stream, expectation(options), events)
  const message = new BatchAppendResp().setStreamIdentifier(identifier)
  return outcome.kind === 'written'
    ? message.setSuccess(success(outcome))
    : message.setError(wrongVersion(outcome.current))
}

function expectation(options: streamsPb.BatchAppendReq.Options): Expected {
  if (options.hasAny()) return 'any'
  if (options.hasStreamExists()) return 'exists'
  return options.hasNoStream() ? 'no-stream' : BigInt(options.getStreamPosition())
}

function success({ revision, position }: Outcome & { kind: 'written' }) {
  const at = new sharedPb.AllStreamPosition()
  at.setCommitPosition(String(position))
  at.setPreparePosition(String(position))
  return new BatchAppendResp.Success().setCurrentRevision(String(revision)).setPosition(at)
}

function wrongVersion(current: number): statusPb.Status {
  const wrong = new sharedPb.WrongExpectedVersion()
  if (current < 0) wrong.setCurrentNoStream(new emptyPb.Empty())
  else wrong.setCurrentStreamRevision(String(current))
  const details = new anyPb.Any()
  details.pack(wrong.serializeBinary(), 'event_store.client.WrongExpectedVersion')
  return new statusPb.Status().setDetails(details)
}
