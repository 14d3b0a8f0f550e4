// Guards that the simulator has to miss when they are taken out: the rules on which several
// processes agree. docs/guarantees.md says how soon it notices each of them.
import type { Mutant } from '../mutant.ts'

const repository = 'src/commands/core/repository.ts'
const stock = 'src/domain/stock/stock.ts'
const decisions = 'src/domain/order/orderDecisions.ts'
const payments = 'src/domain/order/orderPayments.ts'
const steps = 'src/commands/order/orderSteps.ts'
const rebuildStates = 'src/projections/rebuild/rebuildStates.ts'

const releases =
  'release(state: Stock, productId: string, orderId: string): Decision<StockEvent> {\n' +
  '  const quantity = state.reserved.get(orderId)'

export const simulatedGuards: readonly Mutant[] = [
  {
    name: 'append-anywhere',
    promise: 'an event is appended only where the stream is as it was believed to be',
    file: repository,
    find: "const expected = current.revision < 0 ? 'no-stream' : current.revision",
    replace: "const expected = 'any' as const",
  },
  {
    name: 'cache-never-old',
    promise: 'a process that remembers a stream asks the log whether it has got any further',
    file: repository,
    find: 'const begun = await catchUp(',
    replace: 'const begun = known.revision >= 0 ? known : await catchUp(',
  },
  {
    name: 'repeat-taken-for-new',
    promise: 'an append that was in the log already is told from one that is new',
    file: 'src/eventstore/postgres/appends.ts',
    find: "repeated: outcome === 'duplicate'",
    replace: 'repeated: false',
    also: [
      {
        file: repository,
        find: 'repeated || revision !== current.revision + encoded.length',
        replace: 'repeated',
      },
    ],
  },
  {
    name: 'key-forgotten-at-restart',
    promise: 'a key is good for one effect, also on a process that has just started',
    file: 'src/commands/core/catchUp.ts',
    find: '  for (const event of events) processed.add(event.commandId, event)\n',
    replace: '',
  },
  {
    name: 'old-key-forgotten',
    promise: 'a key is good for one effect, however many commands its stream has seen since',
    file: repository,
    find: 'const plan = planBatch(kind, current, batch, archived)',
    replace: 'const plan = planBatch(kind, current, batch, new Map([...archived].slice(0, 0)))',
  },
  {
    name: 'checkpoint-moved-blindly',
    promise: 'of two runners of one follower of the log only the one with the lease writes',
    file: 'src/projections/core/checkpoints.ts',
    find: 'where c.name = l.name and c.epoch = l.epoch and c.position = l.position',
    replace: 'where c.name = l.name',
  },
  {
    name: 'oversold',
    promise: 'no more pieces are promised than there are',
    file: stock,
    find: '  if (free < input.quantity) {',
    replace: '  if (free < 0) {',
  },
  {
    name: 'reserved-again',
    promise: 'an order is promised its pieces once',
    file: stock,
    find: '  if (state.reserved.has(input.orderId)) return []\n  const free',
    replace: '  const free',
  },
  {
    name: 'straggler-reserves',
    promise: 'a process that comes late reserves nothing for an order that has ended',
    file: stock,
    find: '  if (state.settled.includes(input.orderId)) return []\n',
    replace: '',
  },
  {
    name: 'released-twice',
    promise: 'the pieces of an order come back once',
    file: stock,
    find: releases,
    replace: releases.replace('orderId)', 'orderId) ?? 1'),
  },
  {
    name: 'concluded-again',
    promise: 'an order is placed or rejected once',
    file: decisions,
    find: "  if (state.status !== 'submitted') return []\n  const { orderId } = state",
    replace: '  const { orderId } = state',
    // The id of the step is a second guard.
    also: [
      {
        file: steps,
        find: "return decide(context, 'conclude',",
        replace: 'return decide(context, `conclude/${Math.random()}`,',
      },
    ],
  },
  {
    name: 'late-payment-dropped',
    promise: 'money that comes too late is booked, and taken or paid back',
    file: payments,
    find: "return [{ type: 'LatePaymentReceived', data: {",
    replace: "return [] ?? [{ type: 'LatePaymentReceived', data: {",
  },
  {
    name: 'late-goods-not-asked-for',
    promise: 'late money gets its goods only where they are promised anew',
    file: 'src/commands/order/orderSteps.ts',
    find: '  if (short.size > 0) return refuseLate(context, paymentId)\n',
    replace: '',
  },
  {
    name: 'expired-anyway',
    promise: 'an order that was paid in time does not expire',
    file: payments,
    find: "return isDue(state, now) ? [{ type: 'OrderExpired'",
    replace: "return (state.expiresAt ?? Infinity) <= now ? [{ type: 'OrderExpired'",
  },
  {
    name: 'cart-emptied-twice',
    promise: 'an order empties its cart once',
    file: 'src/domain/cart/cart.ts',
    find: "if (state.status === 'open' && state.checkedOut.includes(orderId)) return []",
    replace: '',
    also: [
      {
        file: steps,
        find: "processStep(cause, orderId, 'check-out')",
        replace: 'processStep(cause, orderId, `check-out/${Math.random()}`)',
      },
    ],
  },
  {
    name: 'cart-merged-twice',
    promise: "what a guest's cart holds comes into a customer's once",
    file: 'src/domain/cart/cartMerge.ts',
    find: 'const quantity = line.quantity - (before.get(line.productId) ?? 0)',
    replace: 'const quantity = line.quantity + 0 * before.size',
  },
  {
    name: 'refunds-forgotten',
    promise: 'a refund that was announced is made, whoever dies meanwhile',
    file: 'src/projections/order/orderProcesses.ts',
    find: '      open_money: [...open_money, data.refundId],\n',
    replace: '      open_money,\n',
  },
  {
    name: 'half-placed-orders',
    promise: 'an order whose process died is placed or rejected by a worker',
    file: 'src/projections/order/orderProcesses.ts',
    find: 'submitted: true, cart_open: data.cartId !== null }',
    replace: 'cart_open: data.cartId !== null }',
  },
  {
    name: 'claim-of-first-try',
    promise: 'a command that is asked for again does not rest on a claim that it has lost since',
    file: 'src/commands/catalogue/claims.ts',
    find: 'return { ...step(envelope), commandId: newId() }',
    replace: "return newId() && step(envelope, 'claim')",
    // What the claim has come to is looked at once more.
    also: [
      {
        file: 'src/commands/catalogue/claims.ts',
        find: "const unkeyed = { idempotency: 'none' }",
        replace: "const unkeyed = { idempotency: 'key' }",
      },
      {
        file: 'src/commands/catalogue/claims.ts',
        find: 'return isOurs(claimed.state) ? undefined : refusal',
        replace: 'return isOurs(claimed.state) || refusal ? undefined : refusal',
      },
    ],
  },
  {
    name: 'voided-claim-used',
    promise: 'a product is not created with a SKU that another has taken over meanwhile',
    file: 'src/domain/catalogue/product.ts',
    find: '  if (voidedOf(state) > 0) return lostClaims()\n',
    replace: '',
  },
  {
    name: 'renamed-without-claim',
    promise: 'a category gets no name that it has not claimed, also where it has just come to be',
    file: 'src/commands/catalogue/categories.ts',
    find: 'needsClaim = name !== undefined && isRename(now, name)',
    replace: 'needsClaim = name !== undefined && isRename(now, name) && false',
  },
  {
    name: 'cart-bought-twice',
    promise: 'what is in a cart is bought once, also by two orders at the same time',
    file: 'src/domain/cart/cart.ts',
    find: "state.status !== 'open' || !hasPieces(state, lines)",
    replace: "state.status !== 'open'",
  },
  {
    name: 'refunded-keeps-goods',
    promise: 'an order that was paid back as a whole keeps no pieces, whoever dies meanwhile',
    file: 'src/projections/order/orderProcesses.ts',
    find: 'without(open_money, data.refundId),\n      settling: true,\n',
    replace: 'without(open_money, data.refundId),\n',
  },
  {
    name: 'rebuild-left-behind',
    promise: 'tables that were built anew have all that the old ones had',
    file: 'src/projections/rebuild/swap.ts',
    find: 'const range = { after: member.position, upTo: live.position }',
    replace: 'const range = { after: member.position, upTo: member.position }',
    also: [
      {
        file: 'src/projections/rebuild/swap.ts',
        find: 'await moveCheckpoint(trx, { name, version, position: member.position })',
        replace: 'await moveCheckpoint(trx, { name, version, position: live.position })',
      },
    ],
  },
  {
    name: 'rebuilt-by-two',
    promise: 'of two processes that build tables anew only the one that began last fills them',
    file: 'src/projections/rebuild/rebuild.ts',
    find: '    if (rows[0]?.taken !== true) {',
    replace: '    if (rows[0]?.taken === undefined) {',
    // Whoever is late is fenced off by the number of the beginning, too.
    also: [
      {
        file: rebuildStates,
        find: 'where name = ${name} and epoch = ${epoch}\n      returning name',
        replace: 'where name = ${name} returning name',
      },
      {
        file: rebuildStates,
        find: 'where name = ${name} and epoch = ${epoch} for update',
        replace: 'where name = ${name} for update',
      },
    ],
  },
  {
    name: 'rebuild-died-with-process',
    promise: 'a rebuild whose process died is gone on with by another',
    file: rebuildStates,
    find: "where state in ('requested', 'running') order by",
    replace: "where state in ('requested') order by",
  },
  {
    name: 'rebuild-given-up',
    promise: 'a rebuild that the database has cut for a moment is gone on with',
    file: 'src/projections/rebuild/rebuild.ts',
    find: 'on.signal?.aborted === true || isTransient(error)',
    replace: 'on.signal?.aborted === true',
  },
]
