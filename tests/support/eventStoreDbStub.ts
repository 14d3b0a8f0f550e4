// An EventStoreDB server in this process, on the client package's own service definitions.
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import gossipGrpc from '@eventstore/db-client/generated/gossip_grpc_pb.js'
import gossipPb from '@eventstore/db-client/generated/gossip_pb.js'
import featuresGrpc from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js'
import sharedPb from '@eventstore/db-client/generated/shared_pb.js'
import streamsGrpc from '@eventstore/db-client/generated/streams_grpc_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import type * as Grpc from '@grpc/grpc-js'
import { cuttableProxy } from './cuttableProxy.ts'
import { type BatchFaults, batchAppends, supportedMethods } from './eventStoreDbBatch.ts'
import {
  type Expected,
  type LogRecord,
  type Outcome,
  type Proposed,
  type ServerLog,
  serverLog,
} from './eventStoreDbLog.ts'

// The very module that the client has loaded, so that both sides agree on their classes.
const requireOfTest = createRequire(import.meta.url)
const requireOfClient = createRequire(requireOfTest.resolve('@eventstore/db-client'))
const grpc: typeof Grpc = requireOfClient('@grpc/grpc-js')

const { AppendResp, ReadResp } = streamsPb
const maxAppendSize = 1_048_576

/** What goes wrong: for single appends, too, but for what is of batches alone. */
export type StubFaults = BatchFaults

export interface EventStoreDbStub {
  url: string
  /** The same server as the leader of a cluster that the client has to discover. */
  clusterUrl: string
  log: ServerLog
  faults: StubFaults
  /** How many appends have reached the server. */
  appends(): number
  /** Cuts every connection of every client. */
  dropConnections(): Promise<void>
  close(): Promise<void>
}

/**
 * Starts the stub; `tellsCaughtUp: false` makes it a server from before 23.10, and
 * `hasBatchAppend: false` one from before 21.2.
 */
export async function eventStoreDbStub(
  options: { tellsCaughtUp?: boolean; hasBatchAppend?: boolean } = {},
): Promise<EventStoreDbStub> {
  const { tellsCaughtUp = true, hasBatchAppend = true } = options
  const log = serverLog()
  const faults: StubFaults = { lostAnswers: 0, ignoredAppends: 0 }
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 17 * 1_048_576 })
  let appends = 0
  server.addService(streamsGrpc.StreamsService, {
    append: (call: AppendCall, answer: AppendAnswer) => {
      appends += 1
      const serve = { log, faults, cut: () => proxy.cut() }
      // A call that is cut while it is received ends in an error that nobody waits for.
      append(call, answer, serve).catch(() => undefined)
    },
    ...(hasBatchAppend
      ? { batchAppend: batchAppends({ log, faults, cut: () => proxy.cut() }) }
      : {}),
    read: (call: ReadCall) => {
      read(call, log, tellsCaughtUp).catch(error => call.destroy(error))
    },
  })
  server.addService(featuresGrpc.ServerFeaturesService, {
    getSupportedMethods: (_: unknown, answer: Grpc.sendUnaryData<unknown>) => {
      answer(null, supportedMethods())
    },
  })
  server.addService(gossipGrpc.GossipService, {
    read: (_: unknown, answer: Grpc.sendUnaryData<gossipPb.ClusterInfo>) => {
      answer(null, oneLeader(proxy.port))
    },
  })
  const credentials = grpc.ServerCredentials.createInsecure()
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  const proxy = await cuttableProxy('127.0.0.1', port)
  return {
    url: `esdb://127.0.0.1:${proxy.port}?tls=false`,
    clusterUrl: `esdb://127.0.0.1:${proxy.port},127.0.0.1:${proxy.port}?tls=false`,
    log,
    faults,
    appends: () => appends,
    dropConnections: proxy.cut,
    close: async () => {
      await proxy.close()
      server.forceShutdown()
    },
  }
}

function oneLeader(port: number): gossipPb.ClusterInfo {
  const leader = new gossipPb.MemberInfo()
  leader.setInstanceId(new sharedPb.UUID().setString(randomUUID()))
  leader.setState(gossipPb.MemberInfo.VNodeState.LEADER)
  leader.setIsAlive(true)
  leader.setHttpEndPoint(new gossipPb.EndPoint().setAddress('127.0.0.1').setPort(port))
  const cluster = new gossipPb.ClusterInfo()
  cluster.addMembers(leader)
  return cluster
}

type AppendCall = Grpc.ServerReadableStream<streamsPb.AppendReq, streamsPb.AppendResp>
type AppendAnswer = Grpc.sendUnaryData<streamsPb.AppendResp>

async function append(
  call: AppendCall,
  answer: AppendAnswer,
  serve: { log: ServerLog; faults: StubFaults; cut: () => Promise<void> },
): Promise<void> {
  const { log, faults, cut } = serve
  const { stream, expected, events } = await receive(call)
  if (faults.ignoredAppends > 0) {
    faults.ignoredAppends -= 1
    return
  }
  if (tooBig(events)) return answer(appendTooBig())
  const outcome = log.append(stream, expected, events)
  if (faults.lostAnswers === 0) return answer(null, appendAnswer(outcome, expected))
  faults.lostAnswers -= 1
  log.forgetIds()
  await cut()
}

async function receive(call: AsyncIterable<streamsPb.AppendReq>) {
  let stream = ''
  let expected: Expected = 'any'
  const events: Proposed[] = []
  for await (const message of call) {
    const options = message.getOptions()
    if (options !== undefined) {
      stream = nameOf(options.getStreamIdentifier())
      expected = expectation(options)
    }
    const event = message.getProposedMessage()
    if (event !== undefined) events.push(proposed(event))
  }
  return { stream, expected, events }
}

function nameOf(identifier: sharedPb.StreamIdentifier | undefined): string {
  return Buffer.from(identifier?.getStreamName_asU8() ?? []).toString('utf8')
}

function expectation(options: streamsPb.AppendReq.Options): Expected {
  if (options.hasAny()) return 'any'
  if (options.hasStreamExists()) return 'exists'
  if (options.hasNoStream()) return 'no-stream'
  return BigInt(options.getRevision())
}

function proposed(event: streamsPb.AppendReq.ProposedMessage): Proposed {
  return {
    id: event.getId()?.getString().toLowerCase() ?? '',
    type: event.getMetadataMap().get('type') ?? '',
    contentType: event.getMetadataMap().get('content-type') ?? '',
    data: event.getData_asU8(),
    metadata: event.getCustomMetadata_asU8(),
  }
}

function tooBig(events: Proposed[]): boolean {
  const size = events.reduce((sum, { data, metadata }) => sum + data.length + metadata.length, 0)
  return size > maxAppendSize
}

function appendTooBig() {
  const metadata = new grpc.Metadata()
  metadata.set('exception', 'maximum-append-size-exceeded')
  metadata.set('maximum-append-size', String(maxAppendSize))
  const code = grpc.status.INVALID_ARGUMENT
  return Object.assign(new Error('maximum append size exceeded'), { code, metadata })
}

function appendAnswer(outcome: Outcome, expected: Expected): streamsPb.AppendResp {
  const answer = new AppendResp()
  if (outcome.kind === 'wrong-version') {
    return answer.setWrongExpectedVersion(wrongVersion(outcome.current, expected))
  }
  const position = new AppendResp.Position()
  position.setCommitPosition(String(outcome.position))
  position.setPreparePosition(String(outcome.position))
  const success = new AppendResp.Success()
  success.setCurrentRevision(String(outcome.revision))
  success.setPosition(position)
  return answer.setSuccess(success)
}

function wrongVersion(current: number, expected: Expected) {
  const wrong = new AppendResp.WrongExpectedVersion()
  const empty = new sharedPb.Empty()
  if (current < 0) wrong.setCurrentNoStream(empty)
  else wrong.setCurrentRevision(String(current))
  if (expected === 'any') wrong.setExpectedAny(empty)
  else if (expected === 'exists') wrong.setExpectedStreamExists(empty)
  else if (expected === 'no-stream') wrong.setExpectedNoStream(empty)
  else wrong.setExpectedRevision(String(expected))
  return wrong
}

type ReadCall = Grpc.ServerWritableStream<streamsPb.ReadReq, streamsPb.ReadResp>
type ReadOptions = streamsPb.ReadReq.Options

async function read(call: ReadCall, log: ServerLog, tellsCaughtUp: boolean): Promise<void> {
  const options = call.request.getOptions()
  if (options === undefined) throw new Error('a read without options')
  const stream = options.getStream()
  if (options.hasSubscription()) return subscription(call, options, { log, tellsCaughtUp })
  const name = nameOf(stream?.getStreamIdentifier())
  if (stream !== undefined && log.stream(name).length === 0) {
    await send(call, notFound(name))
  } else {
    const selected = stream === undefined ? fromAll(log, options) : fromStream(log, name, options)
    for (const record of selected) await send(call, eventMessage(record))
  }
  call.end()
}

function notFound(name: string): streamsPb.ReadResp {
  const identifier = new sharedPb.StreamIdentifier().setStreamName(Buffer.from(name))
  const missing = new ReadResp.StreamNotFound().setStreamIdentifier(identifier)
  return new ReadResp().setStreamNotFound(missing)
}

const isBackwards = (options: ReadOptions) => options.getReadDirection() === 1

function fromStream(log: ServerLog, name: string, options: ReadOptions): LogRecord[] {
  const stream = options.getStream()
  const count = Number(options.getCount())
  const from = stream?.hasRevision() ? Number(stream.getRevision()) : undefined
  const written = log.stream(name)
  if (!isBackwards(options)) return written.slice(from ?? 0, (from ?? 0) + count)
  const before = written.slice(0, (from ?? written.length) + 1)
  return before.reverse().slice(0, count)
}

function fromAll(log: ServerLog, options: ReadOptions): LogRecord[] {
  const at = options.getAll()?.getPosition()?.getCommitPosition()
  const count = Number(options.getCount())
  const from = at === undefined ? undefined : BigInt(at)
  if (isBackwards(options)) {
    const before = from === undefined ? log.records : log.records.filter(r => r.position < from)
    return before.toReversed().slice(0, count)
  }
  return log.records.filter(({ position }) => position >= (from ?? 0n)).slice(0, count)
}

async function subscription(
  call: ReadCall,
  options: ReadOptions,
  { log, tellsCaughtUp }: { log: ServerLog; tellsCaughtUp: boolean },
): Promise<void> {
  const after = options.getAll()?.getPosition()?.getCommitPosition()
  const filter = options.getFilter()
  const window = filter?.hasMax() ? filter.getMax() : 32
  const wanted = matcher(filter)
  const confirmation = new ReadResp.SubscriptionConfirmation().setSubscriptionId('stub')
  await send(call, new ReadResp().setConfirmation(confirmation))
  let next = 0
  if (after !== undefined) {
    const first = log.records.findIndex(({ position }) => position > BigInt(after))
    next = first < 0 ? log.records.length : first
  }
  let considered = 0
  let toldCaughtUp = false
  while (!call.cancelled && !call.destroyed) {
    const record = log.records[next]
    if (record === undefined) {
      if (tellsCaughtUp && !toldCaughtUp) {
        await send(call, new ReadResp().setCaughtUp(new ReadResp.CaughtUp()))
      }
      toldCaughtUp = true
      await Promise.race([log.grown(), gone(call)])
      continue
    }
    next += 1
    considered += 1
    if (wanted(record)) await send(call, eventMessage(record))
    if (filter !== undefined && considered % window === 0) await send(call, checkpoint(record))
  }
}

function matcher(
  filter: streamsPb.ReadReq.Options.FilterOptions | undefined,
): (record: LogRecord) => boolean {
  if (filter === undefined) return () => true
  const expression = filter.getStreamIdentifier() ?? filter.getEventType()
  const onStream = filter.hasStreamIdentifier()
  const regex = expression?.getRegex() ? new RegExp(expression.getRegex()) : undefined
  const prefixes = expression?.getPrefixList() ?? []
  return ({ stream, type }) => {
    const text = onStream ? stream : type
    return regex ? regex.test(text) : prefixes.some(prefix => text.startsWith(prefix))
  }
}

function checkpoint({ position }: LogRecord): streamsPb.ReadResp {
  const reached = new ReadResp.Checkpoint()
  reached.setCommitPosition(String(position))
  reached.setPreparePosition(String(position))
  return new ReadResp().setCheckpoint(reached)
}

function eventMessage(record: LogRecord): streamsPb.ReadResp {
  const position = String(record.position)
  const event = new ReadResp.ReadEvent.RecordedEvent()
  event.setId(new sharedPb.UUID().setString(record.id))
  event.setStreamIdentifier(
    new sharedPb.StreamIdentifier().setStreamName(Buffer.from(record.stream)),
  )
  event.setStreamRevision(String(record.revision))
  event.setCommitPosition(position)
  event.setPreparePosition(position)
  event.getMetadataMap().set('type', record.type)
  event.getMetadataMap().set('content-type', record.contentType)
  event.getMetadataMap().set('created', String(record.created))
  event.setData(record.data)
  event.setCustomMetadata(record.metadata)
  const message = new ReadResp.ReadEvent().setEvent(event).setCommitPosition(position)
  return new ReadResp().setEvent(message)
}

const departures = new WeakMap<ReadCall, Promise<void>>()

/** Resolves when the client has cancelled the call or the connection is lost. */
function gone(call: ReadCall): Promise<void> {
  const known = departures.get(call)
  if (known !== undefined) return known
  const departure = new Promise<void>(resolve => {
    call.on('cancelled', () => resolve())
    call.on('close', () => resolve())
    call.on('error', () => resolve())
  })
  departures.set(call, departure)
  return departure
}

/** Writes a message and waits while the client is slower than the server. */
async function send(call: ReadCall, message: streamsPb.ReadResp): Promise<void> {
  if (call.cancelled || call.destroyed || call.write(message)) return
  await Promise.race([new Promise(resolve => call.once('drain', resolve)), gone(call)])
}
