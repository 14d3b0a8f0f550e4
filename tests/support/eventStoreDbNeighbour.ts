// What else is on the server of the EventStoreDB stub: its own events, and another application.
import { randomUUID } from 'node:crypto'
import type { Proposed } from './eventStoreDbLog.ts'

export interface Foreign {
  stream: string
  event: Proposed
  /** Set on the stream before, as applications do that keep a part of their events only. */
  limits?: object
}

/** An event of the server itself. */
export function systemEvent(type = '$system'): Proposed {
  return { id: randomUUID(), type, contentType: '', data: none, metadata: none }
}

const none = new Uint8Array()

/**
 * Events of another application: names like those of a shop, a stream in a category of the shop,
 * types of the shop, bytes that are no JSON, links, and a stream that keeps its newest three.
 */
export function foreignEvents(when: 'before' | 'between'): Foreign[] {
  const id = randomUUID()
  const rolling = { stream: 'sensor-1', event: json('TemperatureRead', { celsius: 21 }) }
  const between = [
    { stream: 'order-4711', event: json('InvoicePrinted', { pages: 2 }) },
    { stream: `orders-${id}`, event: json('OrderSubmitted', { customer: 'somebody' }) },
    { stream: `printer-${id}`, event: bytes('Raw', [0, 255, 128, 10]) },
    { stream: '$ce-orders', event: { ...systemEvent('$>'), data: Buffer.from(`0@orders-${id}`) } },
    rolling,
  ]
  const before = [
    { ...rolling, limits: { $maxCount: 3 } },
    { stream: 'product', event: json('ProductCreated', { price: { currency: 'XTS' } }) },
    { stream: `stocks-${id}`, event: json('StockReceived', []) },
  ]
  return when === 'before' ? [...before, ...between] : between
}

function json(type: string, value: unknown): Proposed {
  const data = Buffer.from(JSON.stringify(value))
  return { id: randomUUID(), type, contentType: 'application/json', data, metadata: none }
}

function bytes(type: string, data: number[]): Proposed {
  const contentType = 'application/octet-stream'
  return { id: randomUUID(), type, contentType, data: Uint8Array.from(data), metadata: none }
}
