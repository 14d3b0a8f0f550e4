// An EventStoreDB server in this process, on the client package's own service definitions.
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
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
export interface StubFaults extends BatchFaults {
  /** Calls that are answered with RESOURCE_EXHAUSTED: the server asks for calm. */
  refusedForCalm: number
  /** What it takes to look at a record that does not pass a filter, as on a server with many. */
  searchMs: number
  /** The user may read $all, and neither read nor write a stream. */
  deniesStreams?: boolean
  /** Each node that is asked says that none of them leads. */
  hasNoLeader?: boolean
}

export interface StubOptions {
  /** False for a server from before 23.10, which does not say so. */
  tellsCaughtUp?: boolean
  /** False for a server from before 21.2. */
  hasBatchAppend?: boolean
  /** No other application on the server. */
  isAlone?: boolean
  /** `user:password`; without it nobody is asked who they are. */
  credentials?: string
}

export interface EventStoreDbStub {
  url: string
  /** The same server as the leader of a cluster that the client has to discover. */
  clusterUrl: string
  log: ServerLog
  faults: StubFaults
  /** How many appends have reached the server. */
  appends(): number
  /** How many reads and subscriptions have been asked for. */
  reads(): number
  /** The reads of single streams among them. */
  streamReads(): number
  /** How many records subscriptions with a filter have looked at. */
  searched(): number
  /** Cuts every connection of every client. */
  dropConnections(): Promise<void>
  close(): Promise<void>
}

/** Starts the stub: by default a server with another application on it. */
export async function eventStoreDbStub(options: StubOptions = {}): Promise<EventStoreDbStub> {
  const { tellsCaughtUp = true, hasBatchAppend = true } = options
  const log = serverLog(options)
  const faults: StubFaults = { lostAnswers: 0, ignoredAppends: 0, refusedForCalm: 0, searchMs: 0 }
  const door = doorOf(faults, options)
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 17 * 1_048_576 })
  const counts = { appends: 0, reads: 0, streamReads: 0, searched: 0 }
  server.addService(streamsGrpc.StreamsService, {
    append: (call: AppendCall, answer: AppendAnswer) => {
      counts.appends += 1
      const refusal = door(call) ?? denied(faults)
      if (refusal !== undefined) return answer(refusal)
      const serve = { log, faults, cut: () => proxy.cut() }
      // A call that is cut while it is received ends in an error that nobody waits for.
      append(call, answer, serve).catch(() => undefined)
    },
    ...(hasBatchAppend
      ? { batchAppend: batchAppends({ log, faults, cut: () => proxy.cut() }) }
      : {}),
    delete: deletion(name => log.softDelete(name), streamsPb.DeleteResp),
    tombstone: deletion(name => log.tombstone(name), streamsPb.TombstoneResp),
    read: (call: ReadCall) => {
      counts.reads += 1
      const isOfStream = call.request.getOptions()?.hasStream() === true
      if (isOfStream) counts.streamReads += 1
      const refusal = door(call) ?? (isOfStream ? denied(faults) : undefined)
      const serving = { tellsCaughtUp, faults, counts }
      const served = refusal ? Promise.reject(refusal) : read(call, log, serving)
      served.catch(error => call.emit('error', error))
    },
  })
  server.addService(featuresGrpc.ServerFeaturesService, {
    getSupportedMethods: (_: unknown, answer: Grpc.sendUnaryData<unknown>) => {
      answer(null, supportedMethods())
    },
  })
  server.addService(gossipGrpc.GossipService, {
    read: (_: unknown, answer: Grpc.sendUnaryData<gossipPb.ClusterInfo>) => {
      answer(null, oneNode(proxy.port, faults))
    },
  })
  const proxy = await cuttableProxy('127.0.0.1', await bound(server))
  return {
    url: `esdb://127.0.0.1:${proxy.port}?tls=false`,
    clusterUrl: `esdb://127.0.0.1:${proxy.port},127.0.0.1:${proxy.port}?tls=false`,
    log,
    faults,
    appends: () => counts.appends,
    reads: () => counts.reads,
    streamReads: () => counts.streamReads,
    searched: () => counts.searched,
    dropConnections: proxy.cut,
    close: async () => {
      await proxy.close()
      server.forceShutdown()
    },
  }
}

/** The port that a server is given. */
function bound(server: Grpc.Server): Promise<number> {
  return new Promise((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure()
    server.bindAsync('127.0.0.1:0', credentials, (error, port) =>
      error === null ? resolve(port) : reject(error),
    )
  })
}

type Call = { metadata: Grpc.Metadata }

/** Who is let in: whom the server knows, and while it does not ask for calm. */
function doorOf(faults: StubFaults, { credentials }: StubOptions) {
  const wanted = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`
  return ({ metadata }: Call): Error | undefined => {
    if (wanted !== undefined && metadata.get('authorization')[0] !== wanted) {
      return refused(grpc.status.UNAUTHENTICATED, 'Unauthenticated')
    }
    if (faults.refusedForCalm === 0) return undefined
    faults.refusedForCalm -= 1
    const text = 'Bandwidth exhausted or memory limit exceeded'
    return refused(grpc.status.RESOURCE_EXHAUSTED, text)
  }
}

function denied({ deniesStreams }: StubFaults): Error | undefined {
  if (deniesStreams !== true) return undefined
  return refused(grpc.status.PERMISSION_DENIED, 'Access Denied', { exception: 'access-denied' })
}

function refused(code: number, message: string, details: Record<string, string> = {}) {
  const metadata = new grpc.Metadata()
  for (const [name, value] of Object.entries(details)) metadata.set(name, value)
  return Object.assign(new Error(message), { code, metadata, details: message })
}

function streamDeleted(stream: string) {
  return refused(grpc.status.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, {
    exception: 'stream-deleted',
    'stream-name': stream,
  })
}

type Deletion = { request: streamsPb.DeleteReq | streamsPb.TombstoneReq }

function deletion<Answer>(work: (stream: string) => void, Answer: new () => Answer) {
  return ({ request }: Deletion, answer: Grpc.sendUnaryData<Answer>) => {
    work(nameOf(request.getOptions()?.getStreamIdentifier()))
    answer(null, new Answer())
  }
}

function oneNode(port: number, { hasNoLeader }: StubFaults): gossipPb.ClusterInfo {
  const node = new gossipPb.MemberInfo()
  node.setInstanceId(new sharedPb.UUID().setString(randomUUID()))
  const { LEADER, UNKNOWN } = gossipPb.MemberInfo.VNodeState
  node.setState(hasNoLeader === true ? UNKNOWN : LEADER)
  node.setIsAlive(true)
  node.setHttpEndPoint(new gossipPb.EndPoint().setAddress('127.0.0.1').setPort(port))
  const cluster = new gossipPb.ClusterInfo()
  cluster.addMembers(node)
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
  if (outcome.kind === 'deleted') return answer(streamDeleted(stream))
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
  return refused(grpc.status.INVALID_ARGUMENT, 'maximum append size exceeded', {
    exception: 'maximum-append-size-exceeded',
    'maximum-append-size': String(maxAppendSize),
  })
}

type Decided = Exclude<Outcome, { kind: 'deleted' }>

function appendAnswer(outcome: Decided, expected: Expected): streamsPb.AppendResp {
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

interface Serving {
  tellsCaughtUp: boolean
  faults: StubFaults
  counts: { searched: number }
}

async function read(call: ReadCall, log: ServerLog, serving: Serving): Promise<void> {
  const options = call.request.getOptions()
  if (options === undefined) throw new Error('a read without options')
  const stream = options.getStream()
  if (options.hasSubscription()) return subscription(call, options, { ...serving, log })
  if (stream === undefined) {
    if (isInvalid(log, options)) {
      const text = 'Unexpected FilteredReadAllResult: InvalidPosition'
      throw refused(grpc.status.UNKNOWN, text)
    }
    const found = fromAll(log, options)
    if (options.hasFilter()) await sleep(serving.faults.searchMs * skipped(log, options, found))
    for (const record of found) await send(call, eventMessage(record))
    call.end()
    return
  }
  const name = nameOf(stream.getStreamIdentifier())
  const shown = log.shown(name)
  if (shown.kind === 'deleted') throw streamDeleted(name)
  if (shown.kind === 'none') await send(call, notFound(name))
  else for (const record of part(shown.events, options)) await send(call, eventMessage(record))
  call.end()
}

function isInvalid(log: ServerLog, options: ReadOptions): boolean {
  const at = options.getAll()?.getPosition()?.getCommitPosition()
  return at !== undefined && !log.isRecord(BigInt(at))
}

function notFound(name: string): streamsPb.ReadResp {
  const identifier = new sharedPb.StreamIdentifier().setStreamName(Buffer.from(name))
  const missing = new ReadResp.StreamNotFound().setStreamIdentifier(identifier)
  return new ReadResp().setStreamNotFound(missing)
}

const isBackwards = (options: ReadOptions) => options.getReadDirection() === 1

function part(events: LogRecord[], options: ReadOptions): LogRecord[] {
  const stream = options.getStream()
  const count = Number(options.getCount())
  const from = stream?.hasRevision() ? Number(stream.getRevision()) : undefined
  if (!isBackwards(options)) {
    return events.filter(({ revision }) => revision >= (from ?? 0)).slice(0, count)
  }
  const before = events.filter(({ revision }) => revision <= (from ?? Infinity))
  return before.toReversed().slice(0, count)
}

/** A filter counts what it lets through, as the server does. */
function fromAll(log: ServerLog, options: ReadOptions): LogRecord[] {
  const at = options.getAll()?.getPosition()?.getCommitPosition()
  const count = Number(options.getCount())
  const from = at === undefined ? undefined : BigInt(at)
  const wanted = matcher(options.getFilter())
  if (isBackwards(options)) {
    const before = from === undefined ? log.records : log.records.filter(r => r.position < from)
    return before.toReversed().filter(wanted).slice(0, count)
  }
  const behind = log.records.filter(({ position }) => position >= (from ?? 0n))
  return behind.filter(wanted).slice(0, count)
}

/** How many records a read passes over that ends with what it has found, or at its end. */
function skipped({ records }: ServerLog, options: ReadOptions, found: LogRecord[]): number {
  const at = options.getAll()?.getPosition()?.getCommitPosition()
  const isFull = found.length === Number(options.getCount())
  const last = isFull ? found.at(-1)?.position : undefined
  const [from, to] = [at === undefined ? undefined : BigInt(at), last]
  const [low, high] = isBackwards(options) ? [to, from] : [from, to]
  const isPassed = ({ position }: LogRecord) =>
    (low === undefined || position >= low) && (high === undefined || position <= high)
  return records.filter(isPassed).length - found.length
}

async function subscription(
  call: ReadCall,
  options: ReadOptions,
  { log, tellsCaughtUp, faults, counts }: Serving & { log: ServerLog },
): Promise<void> {
  const after = options.getAll()?.getPosition()?.getCommitPosition()
  if (isInvalid(log, options)) {
    throw refused(grpc.status.INVALID_ARGUMENT, 'Trying to read from an invalid position.')
  }
  const filter = options.getFilter()
  const window = filter?.hasMax() ? filter.getMax() : 32
  const wanted = matcher(filter)
  const confirmation = new ReadResp.SubscriptionConfirmation().setSubscriptionId('stub')
  await send(call, new ReadResp().setConfirmation(confirmation))
  // By position: a scavenge removes records that others have been counted behind.
  let reached = after === undefined ? -1n : BigInt(after)
  let next = 0
  let considered = 0
  let toldCaughtUp = false
  while (!call.cancelled && !call.destroyed) {
    const before = log.records[next - 1]
    if (before?.position !== reached) next = firstBehind(log, reached)
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
    reached = record.position
    considered += 1
    if (wanted(record)) await send(call, eventMessage(record))
    if (filter === undefined || considered % window > 0) continue
    await sleep(faults.searchMs * window)
    counts.searched += window
    await send(call, checkpoint(record))
  }
}

function firstBehind({ records }: ServerLog, position: bigint): number {
  const first = records.findIndex(record => record.position > position)
  return first < 0 ? records.length : first
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

/** So many messages go into a frame. */
const messagesInFrame = 5
const sentBy = new WeakMap<ReadCall, number>()

/** Writes a message and waits while the client is slower than the server. */
async function send(call: ReadCall, message: streamsPb.ReadResp): Promise<void> {
  const sent = (sentBy.get(call) ?? 0) + 1
  sentBy.set(call, sent)
  if (sent % messagesInFrame === 0) await nextTurn()
  if (call.cancelled || call.destroyed || call.write(message)) return
  await Promise.race([new Promise(resolve => call.once('drain', resolve)), gone(call)])
}
