// Between domain events and the log: nothing is lost, nothing private is written, nothing crashes.
import Type from 'typebox'
import { describe, expect, it } from 'vitest'
import { customer } from '../../src/domain/customer/customer.ts'
import { eventSchemas } from '../../src/domain/index.ts'
import type { EventSchemas } from '../../src/domain/kernel/aggregate.ts'
import { personalPaths, withTexts } from '../../src/domain/kernel/personal.ts'
import { Id, ownerOfStream, Payload, Personal } from '../../src/domain/kernel/types.ts'
import { stock } from '../../src/domain/stock/stock.ts'
import { createCodec, erased } from '../../src/eventstore/core/codec.ts'
import { upcasters as shopUpcasters, type Upcaster } from '../../src/eventstore/core/upcasters.ts'
import { PoisonEvent, UnknownEvent } from '../../src/ports/codec.ts'
import type { Envelope } from '../../src/ports/envelope.ts'
import type { NewEvent, RecordedEvent } from '../../src/ports/eventStore.ts'
import { exampleOf, valuesOf } from '../support/arbitrary.ts'
import { positionAt } from '../support/positions.ts'
import { forAllAsync } from '../support/property.ts'
import { customerId, productId, sampleId } from '../support/samples.ts'
import { testSeals } from '../support/testSeals.ts'

const at = new Date('2011-08-09T10:11:12.345Z')
const envelope: Envelope = {
  commandId: sampleId(91),
  correlationId: sampleId(92),
  causationId: sampleId(93),
  actor: { role: 'customer', id: customerId, roles: ['customer', 'admin'] },
  at,
  source: 'retail-2010',
  digest: 'abcdefghijklmnopqrstuv',
  expectedRevision: 7,
}

/** As the log gives it back: plain JSON, with a place. */
function recorded(event: NewEvent, changes: Partial<RecordedEvent> = {}): RecordedEvent {
  const plain: NewEvent = JSON.parse(JSON.stringify(event))
  return {
    ...plain,
    stream: 'stock-1',
    revision: 3,
    position: positionAt(42),
    recordedAt: at,
    ...changes,
  }
}

function codecOf(
  schemas: EventSchemas,
  upcasters: Readonly<Record<string, Upcaster>> = {},
  seals = testSeals(),
) {
  return { ...createCodec(schemas, seals, upcasters), erase: seals.erase }
}

const reserved = { productId, orderId: sampleId(11), quantity: 4 }
// Shared by tests that write about the same person whatever they like, also that they are erased.
const unforgetting = { ...testSeals(), evict: () => undefined }
const codec = codecOf(eventSchemas, shopUpcasters, unforgetting)
const encoded = () => codec.encode({ type: 'StockReserved', data: reserved }, sampleId(1), envelope)

describe('every event type', () => {
  it.each(Object.entries(eventSchemas))('comes back as it was written: %s', (type, schema) =>
    forAllAsync(
      valuesOf(schema),
      async data => {
        const written = await codec.encode({ type, data }, sampleId(1), envelope, customerId)
        expect(await codec.decode(recorded(written))).toMatchObject({ type, data })
      },
      { cases: 100 },
    ),
  )
})

describe('what goes with an event', () => {
  it('comes back as it was given, with the place in the log', async () => {
    expect(await codec.decode(recorded(await encoded()))).toEqual({
      type: 'StockReserved',
      data: reserved,
      id: sampleId(1),
      stream: 'stock-1',
      revision: 3,
      position: positionAt(42),
      at: at.toISOString(),
      commandId: sampleId(91),
      correlationId: sampleId(92),
      causationId: sampleId(93),
      actor: { role: 'customer', id: customerId },
      source: 'retail-2010',
      digest: 'abcdefghijklmnopqrstuv',
    })
  })

  it('leaves out what nobody said, and what the caller has seen', async () => {
    const { source: _, digest: __, ...bare } = envelope
    const actor = { role: 'anonymous' } as const
    const event = { type: 'StockReserved', data: reserved }
    const { metadata } = await codec.encode(event, sampleId(1), { ...bare, actor })
    expect(metadata).toEqual({
      v: 1,
      commandId: sampleId(91),
      correlationId: sampleId(92),
      causationId: sampleId(93),
      actor,
      at: at.toISOString(),
    })
  })
})

describe('writing', () => {
  it.each([
    ['a field is missing', { productId, orderId: sampleId(11) }],
    ['a field is of another type', { ...reserved, quantity: '4' }],
    ['a field is out of range', { ...reserved, quantity: 0 }],
    ['there is a field too many', { ...reserved, price: 1 }],
    ['an id is none', { ...reserved, orderId: 'order-1' }],
  ])('refuses a payload where %s', (_, data) => {
    const write = () => codec.encode({ type: 'StockReserved', data }, sampleId(1), envelope)
    expect(write).toThrow('StockReserved does not fit its schema')
  })

  it('refuses a type that is not known', () => {
    const write = () => codec.encode({ type: 'StockStolen', data: {} }, sampleId(1), envelope)
    expect(write).toThrow('no schema for the event type StockStolen')
  })

  it.each(['a\u0000b', 'a\ud800b'])(
    'refuses text that no read model could hold: %j',
    async note => {
      const data = { productId, delta: 1, reason: 'received', note }
      const write = async () => codec.encode({ type: 'StockAdjusted', data }, sampleId(1), envelope)
      await expect(write()).rejects.toThrow('holds text that is not Unicode')
    },
  )

  it('leaves the event that it was given alone', async () => {
    const data = Object.freeze({ customerId, username: 'ada' })
    await codec.encode({ type: 'CustomerRegistered', data }, sampleId(1), envelope)
    expect(data).toEqual({ customerId, username: 'ada' })
  })
})

describe('an event that cannot be understood', () => {
  const poison = async (changes: Partial<RecordedEvent>) => {
    const reading = Promise.resolve(codec.decode(recorded(await encoded(), changes)))
    await expect(reading).rejects.toThrow(PoisonEvent)
    return reading.catch((error: Error) => error.message)
  }

  it('is poison when its type is not known, and says where it is', async () =>
    expect(await poison({ type: 'StockStolen' })).toBe(
      'StockStolen at 42 in stock-1: this type is not known',
    ))

  it.each(['toString', 'constructor', '__proto__'])('is poison when its type is %s', async type => {
    await poison({ type })
    const reading = codec.decodeFor(stock, recorded(await encoded(), { type }))
    await expect(reading).rejects.toThrow(PoisonEvent)
  })

  it('is poison when its payload does not fit, and says what does not', async () =>
    expect(await poison({ data: { ...reserved, quantity: -1 } })).toContain('/quantity'))

  const registered = { type: 'CustomerRegistered', data: { customerId, username: 'ada' } }
  it.each([
    ['without metadata', {}],
    ['with the version as text', { v: 'x' }],
    ['without a version', { v: undefined }],
    ['with a version between two', { v: 1.5 }],
    ['without an actor', { actor: undefined }],
    ['with another kind of actor', { actor: 7 }],
    ['with an actor without a role', { actor: {} }],
    ['with no actor', { actor: null }],
    ['without a command', { commandId: undefined }],
    ['with a number as its trace', { correlationId: 4 }],
    ['without a time', { at: undefined }],
    ['with something else for its sealed text', { sealed: 5 }],
  ] as const)('is poison %s, as others may write it', async (kind, changes) => {
    const event = await codec.encode(registered, sampleId(1), envelope)
    const metadata = kind === 'without metadata' ? {} : { ...event.metadata, ...changes }
    const strange = { ...recorded(event), metadata: JSON.parse(JSON.stringify(metadata)) }
    await expect(codec.decode(strange)).rejects.toThrow(PoisonEvent)
    await expect(codec.decodeFor(customer, strange)).rejects.toThrow(PoisonEvent)
  })

  it('is poison in the stream of another aggregate', async () => {
    const written = recorded(await encoded(), { type: 'OrderPlaced', data: { orderId: productId } })
    await expect(codec.decodeFor(stock, written)).rejects.toThrow(PoisonEvent)
    expect(await codec.decode(written)).toMatchObject({ type: 'OrderPlaced' })
  })
})

describe('what is about a person', () => {
  const personalTypes = Object.entries(eventSchemas).filter(([, schema]) => isAboutSomeone(schema))

  it('is in the events of customers and their orders, and in notes on stock', () =>
    expect(personalTypes.map(([type]) => type).sort()).toEqual([
      'CreditNoteIssued',
      'CustomerErased',
      'CustomerRegistered',
      'DeliveryDetailsChanged',
      'LatePaymentRefused',
      'OrderCancelled',
      'OrderRefunded',
      'OrderShipped',
      'OrderSubmitted',
      'PaymentFailed',
      'ProfileChanged',
      'RefundFailed',
      'RefundRequested',
      'StockAdjusted',
      'StockCounted',
      'TrackingChanged',
    ]))

  it.each(personalTypes)('is never written in clear: %s', (type, schema) =>
    forAllAsync(
      valuesOf(schema),
      async data => {
        const marked = { type, data: mark(schema, data) }
        const written = await codec.encode(marked, sampleId(1), envelope, customerId)
        expect(JSON.stringify(written)).not.toContain(marker)
        expect(await codec.decode(recorded(written))).toMatchObject(marked)
      },
      { cases: 100 },
    ),
  )

  const seals = testSeals()
  const forgetful = codecOf(eventSchemas, shopUpcasters, seals)

  it.each(personalTypes)('reads as erased once its key is gone: %s', (type, schema) =>
    forAllAsync(
      valuesOf(schema),
      async data => {
        seals.restoreAll()
        const event = { type, data: mark(schema, data) }
        const written = await forgetful.encode(event, sampleId(1), envelope, customerId)
        for (const id of [Reflect.get(data, 'customerId'), customerId]) forgetful.erase(String(id))
        const { data: read } = await forgetful.decode(recorded(written))
        expect(read).toEqual(mark(schema, data, erased))
      },
      { cases: 100 },
    ),
  )

  it('has to name whom it is about', () => {
    const schemas = { Named: Payload({ name: Personal({ maxLength: 10 }) }) }
    expect(() => codecOf(schemas)).toThrow('names its subject')
  })

  it('cannot be written where nobody is known whom it is about', () => {
    const data = { orderId: sampleId(11), reason: 'It was for Ada', refund: null }
    const write = () => codec.encode({ type: 'OrderCancelled', data }, sampleId(1), envelope)
    expect(write).toThrow('nobody is known')
  })

  it('cannot be in a list, where it could not be sealed', () => {
    const names = Type.Array(Personal({ maxLength: 10 }))
    const schemas = { Named: Payload({ id: Id, names }, { subject: 'id' }) }
    expect(() => codecOf(schemas)).toThrow('not in lists')
  })

  const note = 'counted with Ada'
  const counted = { productId, counted: 3, delta: 1, note }

  it('is sealed with the key of whoever wrote it, where it is a note', async () => {
    const own = codecOf(eventSchemas, shopUpcasters)
    const event = { type: 'StockCounted', data: counted }
    const written = await own.encode(event, sampleId(1), envelope)
    own.erase(customerId)
    expect((await own.decode(recorded(written))).data).toEqual({ ...counted, note: erased })
    const system = { ...envelope, actor: { role: 'system', id: 'import' } as const }
    const plain = recorded(await own.encode(event, sampleId(1), system))
    expect(plain.data).toEqual(counted)
    expect(own.decode(plain)).toMatchObject({ data: counted })
  })

  it('reads as it was written before it was sealed, and as erased without the key', async () => {
    const own = codecOf(eventSchemas, shopUpcasters)
    const bare = { type: 'StockCounted', data: { ...counted, note: undefined } }
    const old = recorded(await own.encode(bare, sampleId(1), envelope), { data: counted })
    expect(own.decode(old)).toBeInstanceOf(Promise)
    expect((await own.decode(old)).data).toEqual(counted)
    own.erase(customerId)
    expect((await own.decode(old)).data).toEqual({ ...counted, note: erased })
  })

  it('reads as erased behind the event that says so, wherever the key is still known', async () => {
    const own = codecOf(eventSchemas, shopUpcasters)
    const encode = async (type: string, data: object, id: number) =>
      recorded(await own.encode({ type, data }, sampleId(id), envelope))
    const named = await encode('CustomerRegistered', { customerId, username: 'ada' }, 1)
    const gone = await encode('CustomerErased', { customerId }, 2)
    expect((await own.decode(named)).data).toMatchObject({ username: 'ada' })
    await own.decode(gone)
    expect((await own.decode(named)).data).toMatchObject({ username: erased })
  })

  // Earlier releases wrote these without sealing them, and without saying whom they are about.
  const ofOwners = Object.entries(eventSchemas).filter(
    ([, schema]) => Reflect.get(schema, 'subject') === ownerOfStream,
  )

  it.each(ofOwners)('in an old %s is found by the owner of its stream', async (type, schema) => {
    const seals = testSeals()
    const owners = async (stream: string) => (stream === 'order-1' ? customerId : undefined)
    const own = createCodec(eventSchemas, seals, shopUpcasters, owners)
    const texts = personalPaths(schema).map(path => [path.join('/'), 'It was for Ada'])
    const data = withTexts({ ...exampleOf(schema) }, Object.fromEntries(texts))
    const written = await own.encode({ type, data }, sampleId(1), envelope, customerId)
    const { sealed: _, subject: __, ...metadata } = written.metadata
    const old = recorded(
      { ...written, data: data as NewEvent['data'], metadata },
      { stream: 'order-1' },
    )
    expect(own.decode(old)).toBeInstanceOf(Promise)
    expect(JSON.stringify((await own.decode(old)).data)).toContain('Ada')
    seals.erase(customerId)
    expect(JSON.stringify((await own.decode(old)).data)).not.toContain('Ada')
    expect(JSON.stringify((await own.decode({ ...old, stream: 'order-2' })).data)).toContain('Ada')
  })

  it('is no longer to be had from an event that was moved to another person', async () => {
    const data = { customerId, username: 'ada' }
    const event = { type: 'CustomerRegistered', data }
    const written = await codec.encode(event, sampleId(1), envelope)
    const moved = recorded(written, { data: { customerId: sampleId(32), username: erased } })
    const read = await codec.decode(moved)
    expect(read.data).toEqual({ customerId: sampleId(32), username: erased })
  })
})

describe('an event type that has changed its shape', () => {
  const first = { Weighed: Payload({ id: Id, grams: Type.Integer() }) }
  const third = {
    Weighed: Payload({ id: Id, weight: Type.Integer(), unit: Type.String() }, { version: 3 }),
  }
  const upcasters: Record<string, Upcaster> = {
    'Weighed@1': ({ grams, ...rest }) => ({ ...rest, weight: grams }),
    'Weighed@2': data => ({ ...data, unit: 'g' }),
  }
  const event = { type: 'Weighed', data: { id: sampleId(1), grams: 5 } }
  const old = async () => recorded(await codecOf(first).encode(event, sampleId(1), envelope))
  const now = { id: sampleId(1), weight: 5, unit: 'g' }

  it('is read through the upcasters of all versions in between', async () =>
    expect(await codecOf(third, upcasters).decode(await old())).toMatchObject({ data: now }))

  it('is OrderShipped, of which version 1 had no tracking number sometimes', async () => {
    const shipped = { type: 'OrderShipped', data: { orderId: sampleId(11), tracking: null } }
    const { metadata, ...rest } = await codec.encode(shipped, sampleId(1), envelope)
    const before = { ...rest, data: { orderId: sampleId(11) }, metadata: { ...metadata, v: 1 } }
    expect((await codec.decode(recorded(before))).data).toEqual(shipped.data)
  })

  it('is written in its newest version, and then read as it is', async () => {
    const newest = codecOf(third, upcasters)
    const written = await newest.encode({ type: 'Weighed', data: now }, sampleId(1), envelope)
    expect(written.metadata).toMatchObject({ v: 3 })
    expect(await newest.decode(recorded(written))).toMatchObject({ data: now })
  })

  it.each(['Weighed@1', 'Weighed@2'])('has no codec where %s is missing', missing => {
    const { [missing]: _, ...others } = upcasters
    expect(() => codecOf(third, others)).toThrow(`there is no upcaster ${missing}`)
  })

  it('is unknown to an older release, and not misread by it', async () => {
    const written = await codecOf(third, upcasters).encode(
      { type: 'Weighed', data: now },
      sampleId(1),
      envelope,
    )
    const older = codecOf(first)
    await expect(older.decode(recorded(written))).rejects.toThrow(UnknownEvent)
    const looksOld = recorded({ ...written, data: event.data })
    await expect(older.decode(looksOld)).rejects.toThrow('version 3 is not known')
  })

  it('reads without a field that a newer release has added', async () => {
    const more = { ...event.data, note: { by: 'a newer release' } }
    const written = { ...(await old()), data: more }
    const read = await codecOf(first).decode(written)
    expect(read.data).toEqual(event.data)
    expect(written.data).toEqual(more)
  })

  it('is poison when an upcaster makes something of it that does not fit', async () => {
    const wrong = { ...upcasters, 'Weighed@2': (data: object) => ({ ...data, unit: 5 }) }
    await expect(codecOf(third, wrong).decode(await old())).rejects.toThrow(PoisonEvent)
  })
})

/** Short enough for every personal field, and found in nothing else. */
const marker = 'clear§text'

interface Shape {
  personal?: boolean
  properties?: Readonly<Record<string, Shape>>
  anyOf?: readonly Shape[]
  items?: Shape
}

function partsOf({ properties = {}, anyOf = [], items }: Shape): Shape[] {
  return [...Object.values(properties), ...anyOf, ...(items === undefined ? [] : [items])]
}

function isAboutSomeone(schema: Shape): boolean {
  return schema.personal === true || partsOf(schema).some(isAboutSomeone)
}

/** The same value with `text` in the place of everything personal, in lists too. */
function mark<Value>(schema: Shape, value: Value, text?: string): Value
function mark(schema: Shape, value: unknown, text = marker): unknown {
  if (schema.personal === true) return text
  const option = schema.anyOf?.find(isAboutSomeone)
  if (option !== undefined && value !== null) return mark(option, value, text)
  if (Array.isArray(value)) return value.map(item => mark(schema.items ?? {}, item, text))
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).map(([name, field]) => {
    return [name, mark(schema.properties?.[name] ?? {}, field, text)]
  })
  return Object.fromEntries(fields)
}
