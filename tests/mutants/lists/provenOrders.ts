// What tests/acceptance promises of orders, stock and money, each taken out.
import type { Change, TestedMutant } from '../mutant.ts'

const orders = { test: 'tests/api/orders.test.ts' }
const payments = { test: 'tests/api/payments.test.ts' }
const known = { test: 'tests/api/knownDefects.test.ts' }
const keys = { test: 'tests/api/idempotency.test.ts' }
const stripe = { test: 'tests/api/stripe.test.ts' }
const stripeDesk = { file: 'src/infra/payments/stripePayments.ts' }
const decisions = { file: 'src/domain/order/orderDecisions.ts' }
const states = { file: 'src/domain/order/orderStates.ts', test: 'tests/domain/orderStates.test.ts' }
const oversold: Change = {
  file: 'src/domain/stock/stock.ts',
  find: '  if (free < input.quantity) {\n',
  replace: '  if (state.onHand < input.quantity) {\n',
}
const lateForgotten: Change = {
  file: 'src/domain/order/orderProcess.ts',
  find: '...[...order.late].flatMap(',
  replace: '...[...order.late].slice(0, 0).flatMap(',
}
/** Workers finish only orders that are not placed yet. */
const paymentsLeftOpen: Change = {
  file: 'src/workers/jobs/orderProcesses.ts',
  find: "(submitted or paying or refund_due or cart_open or settling or open_money <> '{}')",
  replace: 'submitted',
}

export const provenOfOrders: readonly TestedMutant[] = [
  {
    ...orders,
    name: 'orders-by-status',
    promise: 'the staff finds orders by their status',
    file: 'src/projections/order/orderQueries.ts',
    find: '  if (status !== undefined) query = query.where(isInStatus(status))\n',
    replace: '',
  },
  {
    ...orders,
    name: 'inline-order-leaves-cart',
    promise: 'an order with items of its own leaves the cart alone',
    file: 'src/commands/order/placeOrder.ts',
    find: 'cartId: items === undefined ? customerId : null,',
    replace: 'cartId: customerId,',
    also: [
      {
        file: 'src/domain/cart/cart.ts',
        find: "  if (state.status !== 'open' || !hasPieces(state, lines)) {\n",
        replace: "  if (state.status !== 'open') {\n",
      },
      {
        file: 'src/domain/cart/cart.ts',
        find: 'lines: without(state.lines, event.data.lines),',
        replace: 'lines: without(state.lines, state.lines),',
      },
    ],
  },
  {
    ...orders,
    name: 'steps-by-role',
    promise: 'each role moves orders by the steps that are its own',
    file: 'src/commands/order/order.ts',
    find: 'refuseMisplaced(input) ?? refuseStep(envelope.actor, state, input.status)',
    replace: 'refuseMisplaced(input)',
  },
  {
    ...orders,
    ...decisions,
    name: 'unpaid-not-shipped',
    promise: 'an order that is not paid is not shipped',
    find: "  if (!mayMove(state.status, 'shipped')) return illegal(state, 'shipped')\n",
    replace: '',
  },
  {
    ...orders,
    name: 'prices-of-its-day',
    promise: 'an order shows the prices of its day, whatever products cost now',
    file: 'src/projections/order/orderQueries.ts',
    find: '  const order = orderDetail.of(row)\n',
    replace: `  const { lines, ...rest } = orderDetail.of(row)
  const order = {
    ...rest,
    lines: await Promise.all(
      lines.map(async line => {
        const now = (await offersOf(db, [line.productId])).get(line.productId)
        return { ...line, unitPrice: now?.price ?? line.unitPrice }
      }),
    ),
  }\n`,
  },
  {
    ...orders,
    ...decisions,
    name: 'delivery-of-paid-orders',
    promise: 'where an order goes can be changed until it is shipped, also once it is paid',
    find: "  if (state.status !== 'pending' && state.status !== 'paid') {\n    return reject(",
    replace: "  if (state.status !== 'pending') {\n    return reject(",
  },
  {
    ...orders,
    ...decisions,
    name: 'cancelled-paid-back',
    promise: 'who cancels a paid order gets the money back',
    find: '  const owed = refundable(state)\n',
    replace: '  const owed = 0\n',
  },
  {
    ...orders,
    name: 'declined-card-not-the-end',
    promise: 'an order can be paid with another card after one was declined',
    file: 'src/domain/order/order.ts',
    find: "    case 'PaymentFailed':\n      return closed(state, event.data.paymentId)\n",
    replace:
      "    case 'PaymentFailed':\n" +
      "      return { ...state, status: 'cancelled', openPayment: null }\n",
  },
  {
    ...orders,
    name: 'orders-on-old-versions',
    promise: 'an order is not changed by whoever has not seen its last change',
    file: 'src/commands/core/plan.ts',
    find: 'if (expectedRevision !== undefined && expectedRevision !== revision) {',
    replace: 'if (expectedRevision !== undefined && expectedRevision > revision) {',
  },
  {
    ...keys,
    name: 'keys-are-commands',
    promise: 'a request that is sent again with its key is carried out once',
    file: 'src/api/http/requests.ts',
    find: "key === undefined ? ownId(request) : idOf('key', caller, route, key)",
    replace: 'ownId(request)',
  },
  {
    ...keys,
    ...decisions,
    name: 'paid-once',
    promise: 'an order is paid once, however many pay it at once',
    find:
      '  if (state.openPayment !== null) return paymentInProgress()\n' +
      "  if (state.status !== 'pending') return illegal(state, 'paid')\n",
    replace: '',
  },
  {
    ...keys,
    name: 'registered-again',
    promise: 'who registers again with the same key is signed in to the same account',
    file: 'src/commands/account/accounts.ts',
    find: '  if (account === undefined) return undefined\n  const { customerId } = account\n',
    replace: "  if (account?.username !== '') return undefined\n  const { customerId } = account\n",
  },
  {
    ...keys,
    name: 'one-cart-a-key',
    promise: 'a guest whose first item is sent again has one cart',
    file: 'src/api/http/guestCart.ts',
    find: "retryOf(context, request, 'cart') ?? randomBytes(32)",
    replace: 'randomBytes(32)',
  },
  {
    ...known,
    name: 'whole-minor-units',
    promise: 'there are no fractions of a cent',
    file: 'src/domain/kernel/types.ts',
    find: '  { amount: Type.Integer({ minimum: 0, maximum: 9_007_199_254_740_991 }), currency',
    replace: '  { amount: Type.Number({ minimum: 0, maximum: 9_007_199_254_740_991 }), currency',
  },
  {
    ...known,
    ...oversold,
    name: 'one-unit-twice',
    promise: 'of two orders for one unit one gets it',
  },
  {
    ...oversold,
    name: 'last-unit-among-many',
    promise: 'the last piece goes to one of 64 who ask at once',
    test: 'tests/crash/lastUnit.test.ts',
  },
  {
    ...known,
    name: 'unpaid-stock-freed',
    promise: 'pieces of an order that was not paid in time go to whoever asks next',
    file: 'src/commands/order/availableStock.ts',
    find: '  if (free >= quantity || state.reservedTotal === 0) return free\n',
    replace: '  if (free >= 0) return free\n',
  },
  {
    ...known,
    name: 'total-stays',
    promise: 'what is charged for an order is what it came to when it was placed',
    file: 'src/commands/order/order.ts',
    find: "    const paymentId = derivedId(envelope.commandId, 'payment')\n    const request",
    replace: `    const paymentId = derivedId(envelope.commandId, 'payment')
    const { state: now } = await app.orders.load(orderId)
    for (const line of now.lines) {
      const { state: product } = await app.products.load(line.productId)
      now.total.amount = product.price.amount * line.quantity
    }
    const request`,
  },
  {
    ...known,
    name: 'lines-summed',
    promise: 'the lines of a product need their sum to be there',
    file: 'src/commands/order/orderLines.ts',
    find: '    [...demand({ lines })].map(async ([productId, wanted]) => {\n',
    replace: '    lines.map(async ({ productId, quantity: wanted }) => {\n',
  },
  {
    ...known,
    ...lateForgotten,
    name: 'late-money-settled',
    promise: 'money that comes for an expired order pays it or goes back',
  },
  {
    ...known,
    ...decisions,
    name: 'refunds-bounded',
    promise: 'no more is paid back than was paid',
    find: 'if (amount.amount <= left.amount && amount.currency === left.currency) return undefined',
    replace: 'if (amount.currency === left.currency) return undefined',
    also: [
      {
        file: 'src/infra/payments/simulatedPayments.ts',
        find: 'p.amount_minor >= $3::bigint + (',
        replace: '0 <= $3::bigint + (',
      },
    ],
  },
  {
    ...payments,
    name: 'late-goods-of-an-earlier-round',
    promise: 'pieces of late money are promised anew: a straggler cannot give them back',
    file: 'src/commands/order/orderSteps.ts',
    find: "  await endReservations(context, 'release', context.order.round - 1)\n",
    replace: '',
  },
  {
    ...payments,
    ...lateForgotten,
    name: 'late-answer-paid-back',
    promise: 'a payment that is answered too late is paid back when the goods are gone',
  },
  {
    ...payments,
    name: 'partly-refunded',
    promise: 'a refund of a part leaves the order as it is',
    file: 'src/domain/order/order.ts',
    find: "const whole = refunded >= state.captured && state.status !== 'cancelled'",
    replace: "const whole = state.status !== 'cancelled'",
  },
  {
    ...payments,
    ...paymentsLeftOpen,
    name: 'open-payments-finished',
    promise: 'a worker finishes a payment whose answer did not come',
  },
  {
    ...payments,
    ...paymentsLeftOpen,
    name: 'announced-refunds-finished',
    promise: 'a worker finishes a refund that was announced when a process died',
  },
  {
    ...payments,
    name: 'strangers-money-noted',
    promise: 'a callback about nothing of ours is recorded, not dropped',
    file: 'src/infra/payments/paymentCallbacks.ts',
    find: '      await rows(pool, conclude, [provider, callbackId, ...concluded(acted)])\n',
    replace: '',
  },
  {
    name: 'told-refunds-once',
    promise: 'a refund that the provider tells of many times is booked once',
    file: 'src/domain/order/providerMoney.ts',
    find: '  if (state.refunds.includes(refundId)) return []\n  const left',
    replace: '  const left',
    test: 'tests/api/providerMoney.test.ts',
    also: [
      {
        file: 'src/domain/order/providerMoney.ts',
        find: '  if (amount.amount > left.amount) {\n    const detail = `Only',
        replace: '  if (amount.amount > 2 * left.amount + 9_999) {\n    const detail = `Only',
      },
      {
        file: 'src/commands/order/paymentCallback.ts',
        find: "    commandId: idOf('provider-refund', provider, reference, word),\n",
        replace:
          "    commandId: idOf('provider-refund', reference, word, String(Math.random())),\n",
      },
    ],
  },
  {
    ...stripe,
    ...stripeDesk,
    name: 'refunds-at-stripe',
    promise: 'a refund is made at Stripe, and not only noted',
    find: 'return refundAnswer(await stripe.refunds.create(values, { idempotencyKey: refundId }))',
    replace: "return { status: 'refunded' }",
  },
  {
    ...stripe,
    name: 'stripe-tells-of-payments',
    promise: 'an order is paid once Stripe says that the customer has acted',
    file: 'src/infra/payments/stripeReading.ts',
    find: "    case 'payment_intent.succeeded':\n",
    replace: "    case 'payment_intent.processing':\n",
  },
  {
    ...stripe,
    ...paymentsLeftOpen,
    name: 'lost-answers-of-stripe',
    promise: 'a worker finishes a payment when the answer of Stripe was lost',
  },
  {
    ...stripe,
    name: 'amounts-reconciled',
    promise: 'npm run payments -- reconcile finds amounts that differ',
    file: 'src/commands/order/reconciliation.ts',
    find: 'if (isSameMoney(amount, entry.amount)) return []',
    replace: 'if (isSameMoney(amount, amount)) return []',
    slow: true,
  },
  {
    ...stripe,
    ...stripeDesk,
    name: 'declined-at-stripe',
    promise: 'a card that Stripe declines leaves the order open for another',
    find: "    case 'canceled':\n    case 'requires_payment_method':\n",
    replace: "    case 'canceled':\n",
  },
  {
    ...stripeDesk,
    name: 'one-charge-a-payment',
    promise: 'a payment is charged once, however often and at once it is asked for',
    find: '{ idempotencyKey: paymentId },',
    replace: '{},',
    test: 'tests/infra/stripePayments.test.ts',
    also: [
      {
        ...stripeDesk,
        find:
          'const intent = saved === made.id ? made : await retrieve(desk, request.paymentId, ' +
          'saved)',
        replace: 'const intent = made',
      },
    ],
  },
  {
    ...stripeDesk,
    name: 'unanswered-is-not-declined',
    promise: 'a payment that Stripe could not answer is open, not declined',
    find: '    error instanceof errors.StripeAPIError ||\n',
    replace: '',
    test: 'tests/infra/stripePayments.test.ts',
  },
  {
    ...states,
    name: 'steps-that-are-taken',
    promise: 'every step of the table of order states is one that orders take',
    find: "  { from: 'pending', to: 'expired', roles: ['system'] },\n",
    replace:
      "  { from: 'pending', to: 'expired', roles: ['system'] },\n" +
      "  { from: 'shipped', to: 'submitted', roles: ['system'] },\n",
  },
  {
    ...states,
    name: 'steps-once',
    promise: 'the table of order states says of each step once who may take it',
    find: "  { from: 'shipped', to: 'delivered', roles: ['warehouse', 'support', 'admin'] },\n",
    replace:
      "  { from: 'shipped', to: 'delivered', roles: ['warehouse', 'support', 'admin'] },\n" +
      "  { from: 'paid', to: 'shipped', roles: ['customer'] },\n",
  },
  {
    name: 'states-of-then',
    promise: 'auditors see an order as it was at each revision',
    file: 'src/audit/timeTravel.ts',
    find: "  const range = 'revision' in cutoff ? { to: cutoff.revision } : {}\n",
    replace: '  const range = {}\n',
    test: 'tests/api/auditLog.test.ts',
    also: [
      {
        file: 'src/audit/timeTravel.ts',
        find: '    if (!counts(cutoff, event)) continue\n',
        replace: '',
      },
    ],
  },
  {
    name: 'mails-of-a-trace',
    promise: 'auditors see the mails that a request has caused',
    file: 'src/api/routes/audit/auditEvents.ts',
    find: '        mailsOf(context.db, ids),\n',
    replace: '        mailsOf(context.db, []),\n',
    test: 'tests/api/auditLog.test.ts',
  },
]
