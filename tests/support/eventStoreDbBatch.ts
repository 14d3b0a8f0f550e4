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
/** As gRPC numbers it. */
const failedPrecondition = 9

export type Call = Grpc.ServerDuplexStream<streamsPb.BatchAppendReq, streamsPb.BatchAppendResp>

interface Pending {
  options: streamsPb.BatchAppendReq.Options
  events: Proposed[]
}

export interface BatchFaults {
  /** Appends that are written, but the answer is lost, and the ids with it, as in a crash. */
  lostAnswers: number
  /** Appends that are neither written nor answered. */
  ignoredAppends: number
  /** What a server says in the place of writing; undefined where it writes. */
  refusal?: (stream: string) => statusPb.Status | undefined
  /** How an answer goes out, in the place of being written to its call at once. */
  deliver?: (call: Call, answer: streamsPb.BatchAppendResp) => void
}

export interface Serving {
  log: ServerLog
  faults: BatchFaults
  cut(): Promise<void>
}

/** Answers each batch append of a call as its last message arrives, in any order of streams. */
export function batchAppends({ log, faults, cut }: Serving): (call: Call) => void {
  const serve = (call: Call, id: sharedPb.UUID | undefined, request: Pending) => {
    if (faults.ignoredAppends > 0) {
      faults.ignoredAppends -= 1
      return
    }
    const refusal = faults.refusal?.(nameOf(request))
    const said =
      refusal === undefined ? answer(log, request) : new BatchAppendResp().setError(refusal)
    said.setCorrelationId(id)
    if (faults.lostAnswers === 0) {
      if (faults.deliver === undefined) call.write(said)
      else faults.deliver(call, said)
      return
    }
    faults.lostAnswers -= 1
    log.forgetIds()
    void cut()
  }
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
        serve(call, message.getCorrelationId(), request)
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

function nameOf({ options }: Pending): string {
  const name = options.getStreamIdentifier()?.getStreamName_asU8() ?? []
  return Buffer.from(name).toString('utf8')
}

function answer(log: ServerLog, request: Pending): streamsPb.BatchAppendResp {
  const { options, events } = request
  const identifier = options.getStreamIdentifier()
  const outcome = log.append(nameOf(request), expectation(options), events)
  const message = new BatchAppendResp().setStreamIdentifier(identifier)
  if (outcome.kind === 'written') return message.setSuccess(success(outcome))
  return message.setError(
    outcome.kind === 'deleted' ? streamDeleted(identifier) : wrongVersion(outcome.current),
  )
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

function streamDeleted(identifier: sharedPb.StreamIdentifier | undefined): statusPb.Status {
  const deleted = new sharedPb.StreamDeleted().setStreamIdentifier(identifier)
  const details = new anyPb.Any()
  details.pack(deleted.serializeBinary(), 'event_store.client.StreamDeleted')
  return new statusPb.Status().setCode(failedPrecondition).setDetails(details)
}

function wrongVersion(current: number): statusPb.Status {
  const wrong = new sharedPb.WrongExpectedVersion()
  if (current < 0) wrong.setCurrentNoStream(new emptyPb.Empty())
  else wrong.setCurrentStreamRevision(String(current))
  const details = new anyPb.Any()
  details.pack(wrong.serializeBinary(), 'event_store.client.WrongExpectedVersion')
  return new statusPb.Status().setDetails(details)
}

/** Ends a call with a gRPC status, as a server does that fails or has lost its leader. */
export function breakCall(call: Call, code: number, says: Record<string, string> = {}): void {
  const metadata = call.metadata.clone()
  for (const [key, value] of Object.entries(says)) metadata.set(key, value)
  call.emit('error', Object.assign(new Error('broken'), { code, metadata }))
}
