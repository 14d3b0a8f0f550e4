// Routes that do the least that AddToCart and PlaceOrder need, without domain code.
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { addToCart } from '../src/commands/cart/cart.ts'
import { newId } from '../src/commands/core/ids.ts'
import { placeOrder } from '../src/commands/order/placeOrder.ts'
import { loadConfig } from '../src/config/config.ts'
import { openServices } from '../src/main/openServices.ts'
import { type BareLog, createBareLog } from './bareLog.ts'
import { barePath, type EventTemplate, type LeastWork, type TemplateIds } from './leastWork.ts'

const commands = { AddToCart: addToCart, PlaceOrder: placeOrder }
const Answer = Type.Object({
  id: Type.String(),
  revision: Type.Integer(),
  position: Type.String(),
})

/**
 * Adds a route that checks the body and the token as the shop does, asks for the heads of the
 * streams and appends what the command has appended, one transaction after the other.
 */
export async function addBareRoute(
  server: FastifyInstance,
  work: LeastWork,
  settings: Record<string, string>,
): Promise<void> {
  const { accounts, pool } = await openServices(loadConfig(settings))
  const { input: body } = commands[work.command]
  const perform = performer(createBareLog(pool), work)
  const schema = { body, response: { 201: Answer } }
  server.post(barePath(work), { schema }, async (request, reply) => {
    const { authorization = '' } = request.headers
    const claims = await accounts.tokens.verifyAccess(authorization.slice('Bearer '.length))
    if (claims === undefined) throw new Error('the token is not valid')
    const { revision, position } = await perform(claims.customerId)
    reply.status(201)
    return { id: claims.customerId, revision, position: String(position) }
  })
}

function performer(log: BareLog, work: LeastWork) {
  const { streams, transactions, ids } = work
  const streamsOf = streams.map(stream => substitute(stream, ids))
  const eventsOf = transactions.map(events => events.map(event => template(event, ids)))
  let requests = 0
  return async (customer: string) => {
    requests += 1
    const own = { customer, order: newId(), products: productsOf(work, requests) }
    await log.askHeads(streamsOf.map(stream => stream(own)))
    let last = { revision: 0, position: 0n }
    for (const events of eventsOf) last = await log.append(events.map(event => event(own)))
    return last
  }
}

/** The next products of the catalogue, as many as the command was about. */
function productsOf({ catalogue, ids }: LeastWork, request: number): string[] {
  const first = request * ids.products.length
  return ids.products.map((_, at) => catalogue[(first + at) % catalogue.length] ?? '')
}

/** Streams of its own: in those of the shop it would write what nobody has decided. */
function template({ stream, type, data, metadata }: EventTemplate, ids: TemplateIds) {
  const [streamOf, dataOf, metadataOf] = [`bare-${stream}`, data, metadata].map(text =>
    substitute(text, ids),
  )
  return (own: TemplateIds) => ({
    stream: streamOf?.(own) ?? '',
    type,
    data: dataOf?.(own) ?? '',
    metadata: metadataOf?.(own) ?? '',
  })
}

/** A text with other ids in it. */
function substitute(text: string, { customer, order, products }: TemplateIds) {
  const known = [customer, order, ...products]
  const parts = text.split(new RegExp(`(${known.filter(id => id !== '').join('|')})`))
  return (own: TemplateIds): string => {
    const now = [own.customer, own.order, ...own.products]
    return parts.map(part => now[known.indexOf(part)] ?? part).join('')
  }
}
