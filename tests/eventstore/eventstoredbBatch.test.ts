// Many appends over one call to EventStoreDB: whatever becomes of it, each has its own answer.
import { randomUUID } from 'node:crypto'
import sharedPb from '@eventstore/db-client/generated/shared_pb.js'
import statusPb from '@eventstore/db-client/generated/status_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import anyPb from 'google-protobuf/google/protobuf/any_pb.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { RefusedUser } from '../../src/eventstore/eventstoredb/client.ts'
import { eventStoreDb } from '../../src/eventstore/eventstoredb/eventstoredb.ts'
import { type NewEvent, Unavailable, WrongRevision } from '../../src/ports/eventStore.ts'
import { breakCall, type Call } from '../support/eventStoreDbBatch.ts'
import { eventStoreDbStub } from '../support/eventStoreDbStub.ts'

const { BatchAppendResp } = streamsPb

const anEvent = (text?: NewEvent['text']): NewEvent => ({
  id: randomUUID(),
  type: 'ThingHappened',
  data: { n: 1 },
  metadata: {},
  ...(text && { text }),
})

/** A server and a store on it, or several; and what is called of the server, in order. */
async function given(options: { hasBatchAppend?: boolean; timeoutMs?: number } = {}) {
  const { hasBatchAppend = true, timeoutMs = 5_000 } = options
  const stub = await eventStoreDbStub({ hasBatchAppend })
  const open = () => {
    const store = eventStoreDb({ url: stub.url, timeoutMs, idleMs: 100 })
    onTestFinished(() => store.close())
    return store
  }
  onTestFinished(stub.close)
  return { stub, open, store: open() }
}

function status(code: 0 | 3 | 4 | 7, message: string, details = new anyPb.Any()) {
  return new statusPb.Status().setCode(code).setMessage(message).setDetails(details)
}

/** The same id as two numbers, as some answers of servers have it. */
function inNumbers(answer: streamsPb.BatchAppendResp): streamsPb.BatchAppendResp {
  const hex = answer.getCorrelationId()?.getString().replaceAll('-', '') ?? ''
  const half = (from: number) =>
    String(BigInt.asIntN(64, BigInt(`0x${hex.slice(from, from + 16)}`)))
  const structured = new sharedPb.UUID.Structured()
  structured.setMostSignificantBits(half(0))
  structured.setLeastSignificantBits(half(16))
  return answer.setCorrelationId(new sharedPb.UUID().setStructured(structured))
}

describe('appends over one call', { timeout: 30_000 }, () => {
  it('have their own answers, in whatever order and form those come', async () => {
    const { stub, store } = await given()
    await store.append('a', 'no-stream', [anEvent(), anEvent()])
    const held: (() => void)[] = []
    stub.faults.deliver = (call, answer) => {
      held.unshift(() => call.write(inNumbers(answer)))
      if (held.length === 3) for (const send of held) send()
    }
    const [third, first, refused] = await Promise.allSettled([
      store.append('a', 1, [anEvent()]),
      store.append('b', 'no-stream', [anEvent()]),
      store.append('c', 4, [anEvent()]),
    ])
    expect(third).toMatchObject({ value: { revision: 2, repeated: false } })
    expect(first).toMatchObject({ value: { revision: 0, repeated: false } })
    expect(refused).toMatchObject({ reason: new WrongRevision('c', 4, 'no-stream') })
    expect(stub.appends()).toBe(0)
  })

  it('are not touched by answers to nobody, or by the same one again', async () => {
    const { stub, store } = await given()
    stub.faults.deliver = (call, answer) => {
      const strange = new sharedPb.UUID().setString(randomUUID())
      call.write(new BatchAppendResp().setCorrelationId(strange).setSuccess(answer.getSuccess()))
      call.write(new BatchAppendResp())
      call.write(answer)
      call.write(answer)
    }
    for (const revision of [0, 1, 2]) {
      const expected = revision === 0 ? 'no-stream' : revision - 1
      expect((await store.append('a', expected, [anEvent()])).revision).toBe(revision)
    }
  })

  it('are sent as the JSON that has been written already', async () => {
    const { stub, store } = await given()
    const text = { data: '{"n":  1}', metadata: '{ }' }
    await store.append('a', 'no-stream', [anEvent(text)])
    const [record] = stub.log.stream('a')
    expect(Buffer.from(record?.data ?? []).toString()).toBe(text.data)
    expect(Buffer.from(record?.metadata ?? []).toString()).toBe(text.metadata)
  })

  it('of another client in this process do not fail with a call that breaks', async () => {
    const { stub, open, store } = await given()
    const other = open()
    let calls = 0
    stub.faults.deliver = (call, answer) => {
      calls += 1
      if (calls === 1) return void held.resolve(() => call.write(answer))
      if (calls === 2) return breakCall(call, 14)
      call.write(answer)
    }
    const held = Promise.withResolvers<() => void>()
    const waiting = other.append('b', 'no-stream', [anEvent()])
    const deliver = await held.promise
    expect(await store.append('a', 'no-stream', [anEvent()])).toMatchObject({ revision: 0 })
    deliver()
    expect(await waiting).toMatchObject({ revision: 0, repeated: false })
    expect(calls).toBe(3)
  })

  it('that wait on a call that breaks are sent again, and written once', async () => {
    const { stub, store } = await given()
    stub.faults.deliver = call => {
      delete stub.faults.deliver
      breakCall(call, 13)
    }
    const streams = Array.from({ length: 20 }, (_, n) => `s-${n}`)
    const results = await Promise.all(streams.map(s => store.append(s, 'no-stream', [anEvent()])))
    expect(results.map(({ revision }) => revision)).toEqual(streams.map(() => 0))
    for (const stream of streams) expect(stub.log.stream(stream)).toHaveLength(1)
  })

  it('are sent over another call when one is silent, whose late answers nobody minds', async () => {
    const { stub, store } = await given({ timeoutMs: 2_000 })
    const calls: Call[] = []
    let late = () => {}
    stub.faults.deliver = (call, answer) => {
      calls.push(call)
      if (calls.length === 1) late = () => void call.write(answer)
      else call.write(answer)
    }
    expect(await store.append('a', 'no-stream', [anEvent()])).toMatchObject({ repeated: true })
    late()
    expect(await store.append('a', 0, [anEvent()])).toMatchObject({ revision: 1, repeated: false })
    expect(new Set(calls).size).toBe(2)
    expect(stub.log.stream('a')).toHaveLength(2)
  })

  it('are sent again over the same call when others are answered meanwhile', async () => {
    const { stub, store } = await given({ timeoutMs: 1_000 })
    const calls = new Set<Call>()
    let lost = 0
    stub.faults.deliver = (call, answer) => {
      calls.add(call)
      const name = answer.getStreamIdentifier()?.getStreamName_asU8() ?? []
      if (Buffer.from(name).toString() === 'lost' && lost++ === 0) return
      call.write(answer)
    }
    let isDone = false
    const repeated = store.append('lost', 'no-stream', [anEvent()]).finally(() => {
      isDone = true
    })
    for (let n = 0; !isDone; n += 1) await store.append(`s-${n}`, 'no-stream', [anEvent()])
    expect(await repeated).toMatchObject({ revision: 0, repeated: true })
    expect(calls.size).toBe(1)
  })

  it('follow the leader to another node', async () => {
    const { stub, store } = await given()
    const leader = await eventStoreDbStub()
    onTestFinished(leader.close)
    const [host = '', port = ''] = new URL(leader.url).host.split(':')
    stub.faults.deliver = call => {
      breakCall(call, 9, {
        exception: 'not-leader',
        'leader-endpoint-host': host,
        'leader-endpoint-port': port,
      })
    }
    expect(await store.append('a', 'no-stream', [anEvent()])).toMatchObject({ revision: 0 })
    expect(leader.log.stream('a')).toHaveLength(1)
  })

  it.each([
    ['is not ready', status(0, 'Server Is Not Ready')],
    ['has lost its leader', status(0, 'No leader info available in response')],
    ['has not committed in time', status(4, 'Timeout')],
  ])('are sent again when the server %s', async (_, refusal) => {
    const { stub, store } = await given()
    stub.faults.refusal = () => {
      delete stub.faults.refusal
      return refusal
    }
    expect(await store.append('a', 'no-stream', [anEvent()])).toMatchObject({ revision: 0 })
    expect(stub.log.stream('a')).toHaveLength(1)
    expect(stub.appends()).toBe(0)
  })

  it.each([
    ['too large', status(3, 'MaximumAppendSizeExceeded')],
    ['denied', status(7, 'AccessDenied')],
  ])('that are %s go alone, and that answer counts', async (_, refusal) => {
    const { stub, store } = await given()
    stub.faults.refusal = () => refusal
    expect(await store.append('a', 'no-stream', [anEvent()])).toMatchObject({ revision: 0 })
    expect(stub.appends()).toBe(1)
  })

  it('go alone where the server does not have such a call', async () => {
    const { stub, store } = await given({ hasBatchAppend: false })
    const streams = ['a', 'b', 'c']
    await Promise.all(streams.map(stream => store.append(stream, 'no-stream', [anEvent()])))
    await store.append('a', 0, [anEvent()])
    expect(stub.appends()).toBe(4)
  })

  it('that nobody may send are refused at once', async () => {
    const { stub, store } = await given()
    stub.faults.deliver = call => breakCall(call, 16)
    const outcome = store.append('a', 'no-stream', [anEvent()])
    await expect(outcome).rejects.toBeInstanceOf(RefusedUser)
  })

  it('of a job with patience wait for a server that does not answer, and say so', async () => {
    const { stub } = await given()
    const told: number[] = []
    const tell = (seconds: number) => {
      told.push(seconds)
      stub.faults.ignoredAppends = 0
    }
    const patience = { ms: 60_000, tell }
    const store = eventStoreDb({
      url: stub.url,
      timeoutMs: 200,
      retryPolicy: patience,
      idleMs: 100,
    })
    onTestFinished(() => store.close())
    stub.faults.ignoredAppends = 1_000
    expect(await store.append('a', 'no-stream', [anEvent()])).toMatchObject({ repeated: true })
    expect(told).toHaveLength(1)
  })

  it('that wait for their answer are Unavailable when the store is closed', async () => {
    const { stub, open } = await given({ timeoutMs: 60_000 })
    const store = open()
    stub.faults.deliver = () => void store.close()
    const outcome = store.append('a', 'no-stream', [anEvent()])
    await expect(outcome).rejects.toBeInstanceOf(Unavailable)
    await expect(store.append('b', 'no-stream', [anEvent()])).rejects.toBeInstanceOf(Unavailable)
  })
})
