// A SKU belongs to one product: its stream holds the claim, so no two products can have it.
import type { Aggregate, Decision, EventOf } from './aggregate.ts'
import { reject } from './rejection.ts'
import { Id, Payload, Sku } from './types.ts'

// Names and payloads are the storage format: they are versioned, never renamed.
export const SkuClaimEvents = {
  SkuClaimed: Payload({ sku: Sku, productId: Id }),
  SkuReleased: Payload({ sku: Sku, productId: Id }),
}
export type SkuClaimEvent = EventOf<typeof SkuClaimEvents>
export type SkuClaim = { productId: string | null }

export const skuClaim: Aggregate<SkuClaim, SkuClaimEvent> = {
  category: 'sku',
  events: SkuClaimEvents,
  initial: { productId: null },
  evolve(_, event) {
    switch (event.type) {
      case 'SkuClaimed':
        return { productId: event.data.productId }
      case 'SkuReleased':
        return { productId: null }
    }
  },
}

/** SKUs that differ only in case or outer spaces are the same SKU. */
export function normalizeSku(sku: string): string {
  return sku.trim().toUpperCase()
}

/** Claims a SKU for a product; the product that has it may ask again. */
export function claim(state: SkuClaim, sku: string, productId: string): Decision<SkuClaimEvent> {
  if (state.productId === productId) return []
  if (state.productId !== null) {
    return reject('product/sku-taken', `Another product has the SKU ${sku}.`, { sku })
  }
  return [{ type: 'SkuClaimed', data: { sku, productId } }]
}

/** Gives up a product's SKU, so that another may have it; a SKU of another product stays. */
export function release(state: SkuClaim, sku: string, productId: string): Decision<SkuClaimEvent> {
  if (state.productId !== productId) return []
  return [{ type: 'SkuReleased', data: { sku, productId } }]
}
