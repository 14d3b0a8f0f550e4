// The messages of live connections as schemas: what clients send, and what they receive.
import Type, { type Static } from 'typebox'
import { Id, strict } from '../../domain/kernel/types.ts'
import { Position, Status, text, time } from '../http/schemas.ts'

/** Sent by clients over the WebSocket. */
export const clientMessages = {
  resume: Type.Object({ resume: Type.String({ maxLength: 100 }) }, strict),
  subscribe: Type.Object({ subscribe: Type.Literal('orders:all') }, strict),
  ping: Type.Object({ type: Type.Literal('ping') }, strict),
}

/** Sent by the server, over the WebSocket and as server-sent events. */
export const serverMessages = {
  order_update: Type.Object(
    {
      type: Type.Literal('order_update'),
      position: Position,
      orderId: Id,
      orderNumber: text(40),
      status: Status,
      previousStatus: Status,
      trackingNumber: Type.Optional(text(200)),
      message: text(500),
      at: time,
    },
    strict,
  ),
  resync: Type.Object({ type: Type.Literal('resync') }, strict),
  connected: Type.Object({ type: Type.Literal('connected') }, strict),
  subscribed: Type.Object(
    { type: Type.Literal('subscribed'), to: Type.Literal('orders:all') },
    strict,
  ),
  pong: Type.Object({ type: Type.Literal('pong') }, strict),
  error: Type.Object({ type: Type.Literal('error'), detail: text(500) }, strict),
}

/** Any message to a client. */
export type ServerMessage = Static<(typeof serverMessages)[keyof typeof serverMessages]>
export type OrderUpdate = Static<typeof serverMessages.order_update>
