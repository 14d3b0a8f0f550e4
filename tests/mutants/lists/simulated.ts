// Guards that the simulator has to miss when they are taken out: the rules on which several
// processes agree. docs/guarantees.md says how soon it notices each of them.
import type { Mutant } from '../mutant.ts'

const repository = 'src/commands/repository.ts'
const stock = 'src/domain/stock.ts'
const decisions = 'src/domain/orderDecisions.ts'
const payments = 'src/domain/orderPayments.ts'

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
    find: '(await kind.eventStore.endsAt(stream, cached.revision))',
    replace: 'cached.revision >= 0',
  },
  {
    name: 'repeat-taken-for-new',
    promise: 'an append that was in the log already is told from one that is new',
    file: 'src/eventstore/postgresAppends.ts',
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
    file: 'src/commands/readOn.ts',
    find: '  for (const event of events) handled.add(event.commandId, event)\n',
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
    file: 'src/projections/checkpoints.ts',
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
    file: 'src/commands/orderMoney.ts',
    find: 'isPromised = (await promiseStock(at)).size === 0',
    replace: 'isPromised = true',
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
    file: 'src/domain/cart.ts',
    find: "state.status !== 'open' || state.checkedOut.includes(orderId)",
    replace: "state.status !== 'open'",
  },
  {
    name: 'cart-merged-twice',
    promise: "what a guest's cart holds comes into a customer's once",
    file: 'src/domain/cartMerge.ts',
    find: 'const quantity = line.quantity - (before.get(line.productId) ?? 0)',
    replace: 'const quantity = line.quantity + 0 * before.size',
  },
  {
    name: 'refunds-forgotten',
    promise: 'a refund that was announced is made, whoever dies meanwhile',
    file: 'src/projections/orderProcesses.ts',
    find: 'return { open_money: [...row.open_money, event.data.refundId], refund_due: false }',
    replace: 'return { refund_due: false }',
  },
  {
    name: 'half-placed-orders',
    promise: 'an order whose process died is placed or rejected by a worker',
    file: 'src/projections/orderProcesses.ts',
    find: 'submitted: true, cart_open }',
    replace: 'cart_open }',
  },
  {
    name: 'claim-of-first-try',
    promise: 'a command that is asked for again does not rest on a claim that it has lost since',
    file: 'src/commands/claims.ts',
    find: 'return { ...step(envelope), commandId: newId(), once: true }',
    replace: "return newId() && step(envelope, 'claim')",
  },
  {
    name: 'renamed-without-claim',
    promise: 'a category gets no name that it has not claimed, also where it has just come to be',
    file: 'src/commands/categories.ts',
    find: 'needsClaim = name !== undefined && isRename(now, name)',
    replace: 'needsClaim = name !== undefined && isRename(now, name) && false',
  },
  {
    name: 'cart-bought-twice',
    promise: 'what is in a cart is bought once, also by two orders at the same time',
    file: 'src/domain/cart.ts',
    find: 'if (!isDone && !hasPieces(state, lines)) {',
    replace: 'if (!isDone && !hasPieces(state, lines) && false) {',
  },
]
