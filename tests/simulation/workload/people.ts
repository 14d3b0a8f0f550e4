// What happens to people: profiles, roles, erasure; and what the payment provider and imports do.
import { derivedId, idOf } from '../../../src/commands/core/ids.ts'
import { type Known, type Maker, personId, pick } from './known.ts'

const aCustomer = ({ random, customers }: Known) => pick(random, customers) ?? 'ann'

export const peoples: readonly Maker[] = [
  {
    name: 'RegisterCustomer',
    weight: 1,
    make(known) {
      const by = aCustomer(known)
      return { input: { customerId: personId(by), username: by }, by: 'shop' }
    },
  },
  {
    name: 'ChangeProfile',
    weight: 2,
    make(known) {
      return { input: { city: `City ${known.random.between(1, 9)}` }, by: aCustomer(known) }
    },
  },
  {
    name: 'MoveAddress',
    weight: 1,
    make(known) {
      const by = aCustomer(known)
      const email = `${by}-${known.random.between(1, 9)}@example.com`
      return { input: { customerId: personId(by), email }, by: 'shop' }
    },
  },
  ...(['GrantRole', 'RevokeRole'] as const).map(
    (name): Maker => ({
      name,
      weight: 1,
      make: known => ({
        input: { customerId: personId(aCustomer(known)), role: 'auditor' },
        by: 'admin',
      }),
    }),
  ),
  {
    name: 'ChangeUser',
    weight: 1,
    make(known) {
      const disabled = known.random.next() < 0.2
      return { input: { customerId: personId(aCustomer(known)), disabled }, by: 'admin' }
    },
  },
  {
    name: 'EraseCustomer',
    weight: 0.7,
    make(known) {
      const by = aCustomer(known)
      return { input: { customerId: personId(by), cancelOpen: known.random.next() < 0.7 }, by }
    },
  },
  // Read models are built anew while all the rest goes on.
  {
    name: 'Rebuild',
    weight: 2,
    make: ({ random }) => ({
      input: { projection: random.pick(['orders', 'orders', 'orderProcesses', 'customers']) },
      by: 'admin',
    }),
  },
  // A customer does at the provider what a payment waits for, or does not.
  {
    name: 'ConfirmPayment',
    weight: 5,
    make: ({ random }) => ({ input: { isConfirmed: random.next() < 0.8 }, by: 'provider' }),
  },
  {
    name: 'RefundAtProvider',
    weight: 1,
    make: ({ random }) => ({ input: { amount: random.between(1, 300) }, by: 'provider' }),
  },
]

const money = (amount: number) => ({ amount, currency: 'GBP' })
const imported = (what: string, nth: number) => idOf('retail', what, `${nth}`)

function importedOrder({ random }: Known) {
  const nth = random.between(1, 2)
  const productId = idOf('retail', 'product', `R-${nth}`)
  const line = { productId, sku: `R-${nth}`, name: 'A jug', quantity: 2, unitPrice: money(150) }
  return { nth, productId, lines: [{ ...line, total: money(300) }] }
}

/** A ledger is brought in: the same documents again and again, as after a crash. */
export const imports: readonly Maker[] = [
  {
    name: 'ImportProduct',
    weight: 1,
    make({ random }) {
      const sku = `R-${random.between(1, 2)}`
      return { input: { sku, name: 'A jug', price: money(150), active: true }, by: 'importer' }
    },
  },
  {
    name: 'BookOpeningStock',
    weight: 1,
    make(known) {
      const { nth, productId } = importedOrder(known)
      const orders = [{ orderId: imported('order', nth), quantity: 2 }]
      return { input: { productId, orders, writeOffs: [], isFirst: true }, by: 'importer' }
    },
  },
  {
    name: 'ImportOrder',
    weight: 1,
    make(known) {
      const { nth, lines } = importedOrder(known)
      const ids = { orderId: imported('order', nth), customerId: imported('customer', nth) }
      const rest = { charges: [], currency: 'GBP', country: 'France' }
      return { input: { ...ids, orderNumber: `5360${nth}`, lines, ...rest }, by: 'importer' }
    },
  },
  {
    name: 'ImportReturn',
    weight: 1,
    make(known) {
      const { nth, lines } = importedOrder(known)
      const returnId = derivedId(imported('order', nth), 'return')
      const input = { orderId: imported('order', nth), returnId, reference: `C${nth}`, lines }
      return { input, by: 'importer' }
    },
  },
  {
    name: 'ImportCreditNote',
    weight: 1,
    make({ random }) {
      const nth = random.between(1, 2)
      const ids = { creditNoteId: imported('credit', nth), customerId: imported('customer', nth) }
      const said = { reference: `C${nth}`, reason: 'Broken.', country: null }
      return { input: { ...ids, ...said, lines: [], total: money(-100) }, by: 'importer' }
    },
  },
  {
    name: 'RecordLedgerDocument',
    weight: 1,
    make({ random }) {
      const nth = random.between(1, 2)
      const input = { documentId: imported('document', nth), document: `${nth}`, rows: 1 }
      return { input: { ...input, refusals: [] }, by: 'importer' }
    },
  },
  {
    name: 'ImportRow',
    weight: 2,
    make({ random, skus }) {
      const stock = random.next() < 0.5 ? { stock: random.between(0, 6) } : {}
      const row = { sku: pick(random, skus), name: 'A cup', price: money(random.between(1, 900)) }
      return { input: { ...row, ...stock }, by: 'admin' }
    },
  },
]
