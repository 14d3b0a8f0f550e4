// Calls on EventStoreDB's streams over the client's own channel, beside the client's own methods.
import { type EventStoreDBClient, UnavailableError } from '@eventstore/db-client'
import streamsGrpc from '@eventstore/db-client/generated/streams_grpc_pb.js'

const { StreamsClient } = streamsGrpc

/** The generated client of the service that reads and appends. */
export type Stub = InstanceType<typeof StreamsClient>
/** What each call of it is given: metadata, and options with the credentials of the address. */
export type CallArguments = Required<Parameters<Stub['batchAppend']>>

interface Cancellable {
  cancel(): void
}

/**
 * Opens a call that has no deadline. The client finds the node, keeps the channel, and connects
 * anew (to the leader, where the server names it) when the call ends with an error.
 */
export async function openCall<Call extends Cancellable>(
  client: EventStoreDBClient,
  open: (stub: Stub, ...args: CallArguments) => Call,
): Promise<Call> {
  const noDeadline = { deadline: Number.POSITIVE_INFINITY }
  const args: CallArguments = call(client, 'callArguments', {}, noDeadline)
  const create: () => Promise<Call> = call(
    client,
    'GRPCStreamCreator',
    StreamsClient,
    'streams',
    (stub: Stub) => open(stub, ...args),
  )
  return create()
}

/**
 * Has the client connect anew where nothing has come over the channel of `stub`, or over the one
 * that it has now, for too long. In a cluster it looks for another node: this one may be frozen.
 */
export async function reconnect(client: EventStoreDBClient, stub?: Stub): Promise<void> {
  const silent: unknown = stub ?? (await call(client, 'getGRPCClient', StreamsClient, 'streams'))
  await call(client, 'handleError', silent, new UnavailableError())
}

/** Calls a method that the client's types keep to themselves. */
function call(target: object, name: string, ...args: unknown[]) {
  const method: unknown = Reflect.get(target, name)
  if (typeof method !== 'function') throw new Error(`this client of EventStoreDB has no ${name}`)
  return Reflect.apply(method, target, args)
}
