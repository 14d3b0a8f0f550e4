// What the importer of a ledger asks of the shop: history at its own time, each step once.
import Type, { type Static } from 'typebox'
import * as product from '../../domain/catalogue/product.ts'
import { claim, normalizeSku } from '../../domain/catalogue/skuClaim.ts'
import { foreignTo, sum } from '../../domain/kernel/money.ts'
import { isRejection, type Rejection, reject } from '../../domain/kernel/rejection.ts'
import { Country, Id, Money, Quantity, ShortText, Sku, strict } from '../../domain/kernel/types.ts'
import * as ledgerImport from '../../domain/ledger/ledgerImport.ts'
import * as creditNote from '../../domain/order/creditNote.ts'
import { Charge, type Order, OrderLine, type Submission } from '../../domain/order/order.ts'
import { capture, deliver, returnItems, ship, submit } from '../../domain/order/orderDecisions.ts'
import { isOrderNumber } from '../../domain/order/orderNumbers.ts'
import { importedMethod } from '../../domain/order/paymentMethods.ts'
import { available, type Stock, type StockEvent } from '../../domain/stock/stock.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import { type Accepted, accepted, type Command, command } from '../core/command.ts'
import { step } from '../core/envelope.ts'
import { derivedId, idOf } from '../core/ids.ts'
import type { Done } from '../core/plan.ts'
import { runOrderProcess } from '../order/orderProcess.ts'

const systemOnly: [] = []
const ImportProduct = Type.Object(
  { sku: Sku, name: ShortText, price: Money, active: Type.Boolean() },
  strict,
)

/** Lists a product under its SKU; answers with the product that has this SKU already, if any. */
export const importProduct: Command<typeof ImportProduct> = {
  name: 'ImportProduct',
  roles: systemOnly,
  input: ImportProduct,
  async run(app, { name, price, active, ...input }, envelope) {
    const refusal = refuseForeign(app, [price])
    if (refusal !== undefined) return refusal
    const sku = normalizeSku(input.sku)
    const own = idOf('retail', 'product', sku)
    const claimed = await app.skuClaims.decide(
      encodeURIComponent(sku),
      step(envelope, 'sku'),
      state => claim(state, sku, state.productId ?? own),
      { isNew: true },
    )
    if (isRejection(claimed)) return claimed
    const productId = claimed.state.productId ?? own
    if (productId !== own) return accepted(productId, claimed)
    const details = { productId, sku, name, price, active }
    const create = (state: product.Product) =>
      product.create(state, { ...details, description: '', categoryId: null, featured: false })
    const created = await app.products.decide(productId, envelope, create, { isNew: true })
    return isRejection(created) ? created : accepted(productId, created)
  },
}

const StockForLedger = Type.Object(
  {
    productId: Id,
    /** Orders still to come that need the product. */
    orders: Type.Array(Type.Object({ orderId: Id, quantity: Quantity }, strict)),
    /** Stock corrections still to come that take pieces away. */
    writeOffs: Type.Array(Type.Object({ commandId: Id, quantity: Quantity }, strict)),
    /** Whether nothing of this ledger has touched the product before. */
    isFirst: Type.Boolean(),
  },
  strict,
)
type StockForLedger = Static<typeof StockForLedger>

/** An adjustment holds no more than this. */
const deltaMax = 10_000_000

/**
 * Books the stock that a ledger without purchases must have begun with: all that leaves the house
 * in it. A ledger of which a part was imported before gets what is still missing.
 */
export const bookOpeningStock: Command<typeof StockForLedger> = {
  name: 'BookOpeningStock',
  roles: systemOnly,
  input: StockForLedger,
  async run(app, input, envelope) {
    const { productId } = input
    const commandIds = input.writeOffs.map(({ commandId }) => commandId)
    // Most products have none, and no stream yet in which they could be looked for.
    const processed =
      commandIds.length === 0 ? new Set() : await app.stock.processed(productId, commandIds)
    const writeOffs = input.writeOffs.filter(({ commandId }) => !processed.has(commandId))
    const need = { ...input, writeOffs }
    const open = (state: Stock) => (input.isFirst ? opening(productId, needed(state, need)) : [])
    const options = { isNew: input.isFirst }
    const opened = await app.stock.decide(productId, step(envelope, 'opening'), open, options)
    if (isRejection(opened)) return opened
    // Just written by this command: it need not be read again.
    const isFilled = needed(opened.state, need) <= available(opened.state)
    if (isFilled && !opened.replayed) return accepted(productId, opened)
    const filled = await app.stock.decide(productId, step(envelope, 'missing'), state =>
      opening(productId, needed(state, need) - available(state)),
    )
    return isRejection(filled) ? filled : accepted(productId, filled)
  },
}

/** Pieces that the orders and write-offs to come will take; those that hold theirs do not count. */
function needed(state: Stock, { orders, writeOffs }: StockForLedger): number {
  const ended = new Set(state.settled)
  const open = orders.filter(({ orderId }) => !state.reserved.has(orderId) && !ended.has(orderId))
  return [...open, ...writeOffs].reduce((total, { quantity }) => total + quantity, 0)
}

function opening(productId: string, pieces: number): StockEvent[] {
  const events: StockEvent[] = []
  for (let left = pieces; left > 0; left -= deltaMax) {
    const delta = Math.min(left, deltaMax)
    const note = 'Sold or written off in the ledger, which has no purchases.'
    events.push({ type: 'StockAdjusted', data: { productId, delta, reason: 'opening', note } })
  }
  return events
}

const ImportOrder = Type.Object(
  {
    orderId: Id,
    orderNumber: Type.String({ minLength: 1, maxLength: 40 }),
    customerId: Id,
    lines: Type.Array(OrderLine, { maxItems: 5_000 }),
    charges: Type.Array(Charge, { maxItems: 5_000 }),
    currency: Type.String({ pattern: '^[A-Z]{3}$', maxLength: 3 }),
    country: Type.Union([Country, Type.Null()]),
  },
  strict,
)

/** An order that ran its whole course long ago: submitted, paid, shipped and delivered. */
export const importOrder: Command<typeof ImportOrder> = {
  name: 'ImportOrder',
  roles: systemOnly,
  input: ImportOrder,
  async run(app, input, envelope) {
    const { orderId, orderNumber } = input
    const refusal = refuseForeign(app, [...moneyOf(input), { amount: 0, currency: input.currency }])
    if (refusal !== undefined) return refusal
    const payment = { paymentId: derivedId(orderId, 'payment'), provider: 'ledger' }
    const { orders } = app
    const begin = (state: Order) =>
      isOrderNumber(orderNumber) ? numberTaken(orderNumber) : submit(state, submissionOf(input))
    const submitted = await orders.decide(orderId, step(envelope, 'submit'), begin, { isNew: true })
    if (isRejection(submitted)) return submitted
    const placed = await advance(app, orderId, envelope, submitted)
    if (isRejection(placed)) return placed
    const paid = await orders.decide(orderId, step(envelope, 'capture'), state =>
      capture(state, { ...payment, reference: orderNumber }),
    )
    if (isRejection(paid)) return paid
    const shipped = await orders.decide(orderId, step(envelope, 'ship'), state =>
      ship(state, undefined),
    )
    if (isRejection(shipped)) return shipped
    const handedOver = await advance(app, orderId, envelope, shipped)
    if (isRejection(handedOver)) return handedOver
    const delivered = await orders.decide(orderId, step(envelope, 'deliver'), deliver)
    // What comes back to it comes months later in the ledger.
    orders.evict(orderId)
    return isRejection(delivered) ? delivered : accepted(orderId, delivered)
  },
}

function moneyOf({ lines, charges }: Pick<Static<typeof ImportOrder>, 'lines' | 'charges'>) {
  return [...lines.map(line => line.total), ...charges.map(each => each.amount)]
}

/** Why amounts of a ledger cannot come into a shop that sells in another currency. */
function refuseForeign({ currency }: App, amounts: readonly Money[]): Rejection | undefined {
  if (foreignTo(currency, amounts) === undefined) return undefined
  return reject('product/wrong-currency', `Prices of this shop are in ${currency}.`)
}

/** It may be, or become, the number of an order of this shop. */
function numberTaken(orderNumber: string) {
  const detail = `${orderNumber} has the form of this shop's own numbers: give it another one.`
  return reject('order/number-taken', detail, { orderNumber })
}

function submissionOf({ currency, ...input }: Static<typeof ImportOrder>): Submission {
  const total = sum(moneyOf(input), currency)
  return { ...input, cartId: null, total, delivery: null, paymentMethod: importedMethod }
}

async function advance(
  app: App,
  orderId: string,
  envelope: Envelope,
  done: Done<Order>,
): Promise<Accepted | Rejection> {
  const progress = await runOrderProcess(app, orderId, envelope, done)
  if (progress === undefined) return reject('order/not-found', 'There is no such order.')
  // An import stops at a stream that cannot be read, and goes on from there when it is repeated.
  if (progress.blockedBy !== undefined) throw progress.blockedBy
  if (progress.order.status === 'rejected') {
    return reject('order/out-of-stock', 'There were not enough pieces in stock.')
  }
  return accepted(orderId, { ...progress, replayed: false })
}

/** Goods of an order that came back. */
export const importReturn = command({
  name: 'ImportReturn',
  roles: systemOnly,
  input: Type.Object(
    {
      orderId: Id,
      returnId: Id,
      reference: ShortText,
      lines: Type.Array(OrderLine, { minItems: 1, maxItems: 5_000 }),
    },
    strict,
  ),
  repository: app => app.orders,
  id: input => input.orderId,
  decide: (state, { orderId: _, ...input }) => returnItems(state, { ...input, charges: [] }),
})

/** Money that went back without an order of this log. */
export const importCreditNote = command({
  name: 'ImportCreditNote',
  roles: systemOnly,
  input: creditNote.CreditNoteEvents.CreditNoteIssued,
  repository: app => app.creditNotes,
  id: input => input.creditNoteId,
  decide: (state, input) => creditNote.issue(state, input),
  isNew: true,
})

const RecordDocument = Type.Object(
  { documentId: Id, ...ledgerImport.LedgerImportEvents.LedgerDocumentImported.properties },
  strict,
)

/** Says that a document is in: the last thing that is written of it. */
export const recordDocument = command({
  name: 'RecordLedgerDocument',
  roles: systemOnly,
  input: RecordDocument,
  repository: app => app.ledgerImports,
  id: input => input.documentId,
  decide: (state, { documentId: _, ...input }) => ledgerImport.recordDocument(state, input),
  isNew: true,
})
