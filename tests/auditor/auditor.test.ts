// The auditor finds what is planted, each promise by itself, and nothing in a log that is in order.
import { describe, expect, it } from 'vitest'
import { audit } from '../../src/audit/auditor/auditor.ts'
import type { Evidence, LogEvent, Message } from '../../src/audit/auditor/evidence.ts'

type Planted = Partial<LogEvent> & { stream: string; type: string }

/** A log of these events, with places and ids where they say none. */
function logOf(planted: readonly Planted[]): LogEvent[] {
  const next = new Map<string, number>()
  return planted.map((event, index) => {
    const revision = event.revision ?? next.get(event.stream) ?? 0
    next.set(event.stream, revision + 1)
    const id = `event-${index + 1}`
    const rest = { commandId: `command-${index + 1}`, at: '2026-01-05T09:00:00.000Z' }
    return { position: index + 1, id, data: {}, source: undefined, ...rest, ...event, revision }
  })
}

const gbp = (amount: number) => ({ amount, currency: 'GBP' })
const line = { productId: 'p', quantity: 2 }
const order = (type: string, data: Record<string, unknown> = {}, orderId = 'o'): Planted => ({
  stream: `order-${orderId}`,
  type,
  data: { orderId, ...data },
})

const submitted = (orderId = 'o', more: object = {}) =>
  order(
    'OrderSubmitted',
    {
      customerId: 'c',
      orderNumber: `100-${orderId}`,
      lines: [line],
      total: gbp(500),
      cartId: null,
      ...more,
    },
    orderId,
  )
const stock = (type: string, data: Record<string, unknown>): Planted => ({
  stream: 'stock-p',
  type,
  data,
})

const received = stock('StockAdjusted', { productId: 'p', delta: 5 })
const reserved = (orderId = 'o') => stock('StockReserved', { orderId, quantity: 2 })
const cart = (type: string, data: object = {}): Planted => ({
  stream: 'cart-c',
  type,
  data: { cartId: 'c', ...data },
})

const added = cart('ItemAddedToCart', line)
const checkedOut = (orderId: string) => cart('CartCheckedOut', { orderId, lines: [line] })
const paid = order('OrderPaid', { paymentId: 'y', provider: 'simulated', amount: gbp(500) })
const placed = order('OrderPlaced')
const requested = order('PaymentRequested', { paymentId: 'y', provider: 'simulated' })
const product = (id: string, type: string, data: object): Planted => ({
  stream: `product-${id}`,
  type,
  data: { productId: id, ...data },
})

const category = (id: string, type: string, data: object = {}): Planted => ({
  stream: `category-${id}`,
  type,
  data: { categoryId: id, ...data },
})

/** A paid order in all its parts. */
const inOrder = [received, submitted(), reserved(), placed, requested, paid]
const told = (more: Partial<Message>): Message => ({
  name: 'PlaceOrder',
  commandId: 'command-2',
  by: 'c',
  begun: 1,
  sentAt: 0,
  answeredAt: 10,
  outcome: 'ok',
  stream: 'order-o',
  revision: 1,
  position: 4,
  code: undefined,
  shown: undefined,
  ...more,
})

const whole: Omit<Evidence, 'log'> = {
  isAtRest: true,
  messages: [told({})],
  mails: [
    { eventId: 'event-4', template: 'order-placed' },
    { eventId: 'event-6', template: 'order-paid' },
  ],
  webhooks: [
    { eventId: 'event-4', endpoint: 'e' },
    { eventId: 'event-6', endpoint: 'e' },
  ],
  money: [{ kind: 'charge', id: 'y', paymentId: 'y', amount: 500 }],
  orders: [{ orderId: 'o', status: 'paid' }],
  live: [{ name: 'ann', customerId: 'c', since: 0, received: [{ position: 6, orderId: 'o' }] }],
}

const following = (...received: [position: number, orderId: string][]) => ({
  live: [
    {
      name: 'ann',
      customerId: 'c',
      since: 0,
      received: received.map(([position, orderId]) => ({ position, orderId })),
    },
  ],
})

it('finds nothing in a shop that is in order', async () => {
  expect(await audit({ ...whole, log: logOf(inOrder) })).toEqual([])
})

const inLog: [promise: string, ...log: Planted[]][] = [
  ['revisions have no gap', received, { ...received, revision: 2 }],
  ['positions rise', received, { ...received, position: 1 }],
  ['an event is in the log once', received, { ...received, id: 'event-1' }],
  [
    'a command is carried out once',
    { ...received, commandId: 'x' },
    received,
    { ...received, commandId: 'x' },
  ],
  ['orders begin with their submission', placed],
  ['an order takes each step once', submitted(), placed, placed],
  ['orders take legal steps', submitted(), order('OrderShipped')],
  ['an order number belongs to one order', submitted(), submitted('q', { orderNumber: '100-o' })],
  ['stock is never below zero nor promised twice', reserved()],
  ['stock is never below zero nor promised twice', received, reserved(), reserved()],
  [
    'stock is never below zero nor promised twice',
    received,
    stock('ReservationReleased', { orderId: 'o', quantity: 2 }),
  ],
  ['stock is never below zero nor promised twice', stock('StockCounted', { counted: 3, delta: 4 })],
  [
    'pieces are kept for open orders only',
    received,
    submitted(),
    reserved(),
    order('OrderRejected'),
  ],
  ['what is ordered is kept', received, submitted(), placed],
  ['everything comes to rest', submitted()],
  ['everything comes to rest', received, submitted(), reserved(), placed, requested],
  [
    'everything comes to rest',
    ...inOrder,
    order('RefundRequested', { refundId: 'r', amount: gbp(100) }),
  ],
  ['a cart is emptied once an order', added, added, checkedOut('o'), checkedOut('o')],
  ['no line of a cart is bought twice', added, checkedOut('o'), checkedOut('q')],
  ['a cart is merged once', cart('CartMerged', { from: 'g', lines: [line] })],
  [
    'a SKU belongs to one product',
    product('p', 'ProductCreated', { sku: 'A' }),
    product('q', 'ProductCreated', { sku: 'A' }),
  ],
  [
    'a listed product is in no category that is gone',
    product('p', 'ProductCreated', { sku: 'A', categoryId: 'k' }),
  ],
  [
    'a listed product is in no category that is gone',
    category('k', 'CategoryCreated', { name: 'Tea' }),
    product('p', 'ProductCreated', { sku: 'A', categoryId: 'k' }),
    category('k', 'CategoryDeleted'),
  ],
  [
    'a category name belongs to one category',
    category('k', 'CategoryCreated', { name: 'Tea' }),
    category('m', 'CategoryCreated', { name: 'tea ' }),
  ],
  [
    'a claim has one holder',
    { stream: 'sku-A', type: 'SkuClaimed', data: { productId: 'p' } },
    { stream: 'sku-A', type: 'SkuClaimed', data: { productId: 'q' } },
  ],
  ['money is conserved', ...inOrder, order('OrderRefunded', { refundId: 'r', amount: gbp(501) })],
  [
    'money is conserved',
    ...inOrder,
    order('OrderRefunded', { refundId: 'r', amount: gbp(1) }),
    order('OrderRefunded', { refundId: 'r', amount: gbp(1) }),
  ],
]

describe('in a log', () => {
  it.each(inLog)('finds that not %s', async (promise, ...log) => {
    const findings = await audit({ log: logOf(log), isAtRest: true })
    expect(findings.map(finding => finding.promise)).toContain(promise)
    for (const { detail: says } of findings) expect(says).toMatch(/^\S.*\.$/)
  })
})

const beside: [promise: string, evidence: Partial<Evidence>][] = [
  ['a mail has its event', { mails: [{ eventId: 'event-2', template: 'order-placed' }] }],
  ['a mail is written once', { mails: [...(whole.mails ?? []), ...(whole.mails ?? [])] }],
  ['no mail is forgotten', { mails: [] }],
  ['a webhook has its event', { webhooks: [{ eventId: 'nothing', endpoint: 'e' }] }],
  ['a webhook is sent once', { webhooks: [...(whole.webhooks ?? []), ...(whole.webhooks ?? [])] }],
  ['no webhook is forgotten', { webhooks: [] }],
  ['the log has what the payment provider has', { money: [] }],
  [
    'the log has what the payment provider has',
    { money: [...(whole.money ?? []), { kind: 'charge', id: 'z', paymentId: 'z', amount: 5 }] },
  ],
  ['read models equal the log', { orders: [{ orderId: 'o', status: 'pending' }] }],
  ['read models equal the log', { orders: [{ orderId: 'o', status: 'paid', paidBack: 5 }] }],
  ['what was acknowledged is in the log', { messages: [told({ stream: 'order-lost' })] }],
  ['what was acknowledged is in the log', { messages: [told({ revision: 9 })] }],
  [
    'what was refused is not in the log',
    { messages: [told({ name: 'AdjustStock', outcome: 'refused', commandId: 'command-1' })] },
  ],
  [
    'reads after a write show it',
    { messages: [told({}), told({ name: 'read', sentAt: 20, answeredAt: 30, revision: 0 })] },
  ],
  [
    'what is read is a fold of the log',
    { messages: [told({ name: 'read', stream: 'stock-p', shown: { onHand: 4, reserved: 2 } })] },
  ],
  ['no live message is lost', following()],
  ['live messages come once and in order', following([6, 'o'], [6, 'o'])],
  ['nobody hears of orders of others', following([6, 'o'], [7, 'q'])],
  ['nothing fails that is not meant to', { failures: [{ where: 'a process', what: 'it ended' }] }],
]

it('looks at what a command has written as a whole', async () => {
  const goneAndBack = [
    category('k', 'CategoryCreated', { name: 'Tea' }),
    product('p', 'ProductCreated', { sku: 'A', categoryId: 'k' }),
    product('p', 'ProductDeleted', {}),
    category('k', 'CategoryDeleted'),
    { ...product('p', 'ProductRestored', {}), commandId: 'restore' },
  ]
  const moved = product('p', 'ProductDetailsChanged', { categoryId: null })
  const audited = (...last: Planted[]) =>
    audit({ log: logOf([...goneAndBack, ...last]), isAtRest: true })
  const promises = [expect.objectContaining({ promise: expect.stringContaining('category') })]
  expect(await audited({ ...moved, commandId: 'restore' })).toEqual([])
  expect(await audited()).toEqual(promises)
  expect(await audited({ ...moved, commandId: 'later' })).toEqual(promises)
})

describe('beside a log', () => {
  it.each(beside)('finds that not %s', async (promise, evidence) => {
    const findings = await audit({ ...whole, ...evidence, log: logOf(inOrder) })
    expect(findings.map(finding => finding.promise)).toContain(promise)
  })
})
