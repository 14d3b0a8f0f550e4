// Products and customers of an import: each created once, before its first use.

import type { App } from '../../../commands/core/app.ts'
import { execute } from '../../../commands/core/command.ts'
import { idOf } from '../../../commands/core/ids.ts'
import { registerCustomer } from '../../../commands/customer/customer.ts'
import { bookOpeningStock, importProduct } from '../../../commands/ledger/importLedger.ts'
import { isRejection } from '../../../domain/kernel/rejection.ts'
import { importEnvelope } from './importEnvelope.ts'
import { ledgerCurrency } from './ledgerEntry.ts'
import type { LedgerPlan, PlannedDocument, PlannedProduct } from './ledgerPlan.ts'

export interface ImportEntities {
  /** The id of the product with this SKU, once it is listed and has its stock. */
  product(sku: string): Promise<string>
  /** Resolves once the customer is registered. */
  customer(customerId: string): Promise<void>
}

/** What is still to leave the house of one product. */
interface Outflow {
  firstDocument: string
  orders: Map<string, number>
  writeOffs: { commandId: string; quantity: number }[]
}

/** `open` are the documents that are not done yet. */
export function createImportEntities(
  app: App,
  plan: LedgerPlan,
  open: readonly PlannedDocument[],
): ImportEntities {
  const outflows = collectOutflows(open)
  const isOpen = new Set(open)
  const touched = collectOutflows(plan.documents.filter(document => !isOpen.has(document)))
  const products = new Map<string, Promise<string>>()
  const customers = new Map<string, Promise<void>>()
  return {
    product(sku) {
      const known = products.get(sku)
      if (known !== undefined) return known
      const supply = { outflow: outflows.get(sku), isFirst: !touched.has(sku) }
      const made = createProduct(app, productOf(plan, sku), supply)
      products.set(sku, made)
      return made
    },
    customer(customerId) {
      const known = customers.get(customerId)
      if (known !== undefined) return known
      const made = createCustomer(app, plan, customerId)
      customers.set(customerId, made)
      return made
    },
  }
}

function productOf(plan: LedgerPlan, sku: string): PlannedProduct {
  const product = plan.products.get(sku)
  if (product === undefined) throw new Error(`the plan uses ${sku} but does not list it`)
  return product
}

function collectOutflows(documents: readonly PlannedDocument[]): Map<string, Outflow> {
  const outflows = new Map<string, Outflow>()
  const of = (product: string, document: PlannedDocument) => {
    const known = outflows.get(product)
    if (known !== undefined) return known
    const made: Outflow = { firstDocument: document.key, orders: new Map(), writeOffs: [] }
    outflows.set(product, made)
    return made
  }
  for (const document of documents) {
    for (const { orderId, lines } of document.orders) {
      for (const { product, quantity } of lines) {
        const { orders } = of(product, document)
        orders.set(orderId, (orders.get(orderId) ?? 0) + quantity)
      }
    }
    for (const { commandId, product, delta } of document.movements) {
      if (delta < 0) of(product, document).writeOffs.push({ commandId, quantity: -delta })
    }
  }
  return outflows
}

async function createProduct(
  app: App,
  product: PlannedProduct,
  supply: { outflow: Outflow | undefined; isFirst: boolean },
): Promise<string> {
  const { sku, name, priceMinor, at } = product
  const commandId = idOf('retail', 'import-product', sku)
  const price = { amount: priceMinor ?? 0, currency: ledgerCurrency }
  const created = await execute(
    app,
    importProduct,
    // What nobody ever paid for has no price to be sold at.
    { sku, name, price, active: priceMinor !== undefined },
    importEnvelope({ commandId, correlationId: commandId, at }),
  )
  if (isRejection(created)) throw new Error(`product ${sku}: ${created.detail}`)
  const { outflow, isFirst } = supply
  if (outflow === undefined) return created.id
  const openingId = idOf('retail', 'opening', sku, outflow.firstDocument)
  const { orders, writeOffs } = outflow
  const booked = await execute(
    app,
    bookOpeningStock,
    {
      productId: created.id,
      orders: [...orders].map(([orderId, quantity]) => ({ orderId, quantity })),
      writeOffs,
      isFirst,
    },
    importEnvelope({ commandId: openingId, correlationId: commandId, at }),
  )
  if (isRejection(booked)) throw new Error(`stock of ${sku}: ${booked.detail}`)
  return created.id
}

async function createCustomer(app: App, plan: LedgerPlan, customerId: string): Promise<void> {
  const customer = plan.customers.get(customerId)
  // A document whose rows are all refused has none.
  if (customer === undefined) return
  const { username, country, at } = customer
  const commandId = idOf('retail', 'import-customer', customerId)
  const input = { customerId, username }
  const registered = await execute(
    app,
    registerCustomer,
    country === '' ? input : { ...input, country },
    importEnvelope({ commandId, correlationId: commandId, at }),
  )
  if (isRejection(registered)) throw new Error(`customer ${username}: ${registered.detail}`)
}
