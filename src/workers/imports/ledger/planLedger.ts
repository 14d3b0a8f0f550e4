// From rows to documents, products and customers: pure, in file order, the same for the same file.
import { knownTo, noEarlierImports } from './earlierImports.ts'
import { interpret } from './ledgerEntry.ts'
import { customerIdOf } from './ledgerIds.ts'
import type { Group, LedgerPlan, PlannedCustomer, PlannedProduct } from './ledgerPlan.ts'
import { nameRank } from './ledgerWords.ts'
import { planDocument } from './planDocument.ts'
import type { LedgerRow } from './readLedger.ts'
import { createSoldGoods } from './soldGoods.ts'

/** Plans an import, on top of what was imported before. */
export function planLedger(rows: readonly LedgerRow[], earlier = noEarlierImports): LedgerPlan {
  const groups = groupRows(rows)
  const products = collectProducts(groups)
  const sold = createSoldGoods()
  const { sales, returns } = knownTo(groups, earlier)
  for (const sale of sales) sold.sell(sale)
  const documents = groups.map(group =>
    planDocument(group, { products, sold, returned: returns.get(group.key) }),
  )
  return { documents, products, customers: collectCustomers(groups), rows: rows.length }
}

/** Documents in the order of their first rows. */
export function groupRows(rows: readonly LedgerRow[]): Group[] {
  const groups = new Map<string, Group>()
  for (const row of rows) {
    const read = interpret(row)
    let group = groups.get(read.document)
    if (group === undefined) {
      group = { key: read.document, entries: [], refused: [] }
      groups.set(read.document, group)
    }
    if ('reason' in read) group.refused.push(read)
    else group.entries.push(read)
  }
  return [...groups.values()]
}

function collectProducts(groups: readonly Group[]): Map<string, PlannedProduct> {
  const products = new Map<string, PlannedProduct & { rank: number }>()
  for (const entry of groups.flatMap(group => group.entries)) {
    if (!entry.isGoods) continue
    const isPaidFor = entry.unitSign > 0 && entry.quantity > 0
    const rank = nameRank(entry.description, isPaidFor)
    const known = products.get(entry.product)
    const product = known ?? {
      sku: entry.product,
      name: entry.product,
      priceMinor: undefined,
      at: entry.at,
      rank: 0,
    }
    if (isPaidFor) product.priceMinor ??= entry.unitMinor
    if (rank > product.rank) Object.assign(product, { name: entry.description, rank })
    if (known === undefined) products.set(entry.product, product)
  }
  return products
}

function collectCustomers(groups: readonly Group[]): Map<string, PlannedCustomer> {
  const customers = new Map<string, PlannedCustomer>()
  for (const { entries } of groups) {
    const [first] = entries
    if (first === undefined) continue
    const customerId = customerIdOf(first.customer)
    if (customers.has(customerId)) continue
    const number = first.customer
    // The walk-in customer is many people in many countries.
    const country = number === '' ? '' : first.country
    const username = `retail-${number === '' ? 'walk-in' : number}`
    customers.set(customerId, { customerId, username, number, country, at: first.at })
  }
  return customers
}
