// A SKU belongs to one product: its stream holds the claim, so no two products can have it.
import type { Aggregate, Decision, EventOf } from '../kernel/aggregate.ts'
import { reject } from '../kernel/rejection.ts'
import { Id, Payload, Sku } from '../kernel/types.ts'

// Names and payloads are the storage format: they are versioned, never renamed.
export const SkuClaimEvents = {
  SkuClaimed: Payload({ sku: Sku, productId: Id }),
  SkuReleased: Payload({ sku: Sku, productId: Id }),
}
export type SkuClaimEvent = EventOf<typeof SkuClaimEvents>
/** `claims` counts them: a claim that was made again is another one. */
export type SkuClaim = { productId: string | null; claims: number }

export const skuClaim: Aggregate<SkuClaim, SkuClaimEvent> = {
  category: 'sku',
  events: SkuClaimEvents,
  initial: { productId: null, claims: 0 },
  evolve(state, event) {
    switch (event.type) {
      case 'SkuClaimed':
        return { productId: event.data.productId, claims: state.claims + 1 }
      case 'SkuReleased':
        return { ...state, productId: null }
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

/** The same, as a new claim even where the product has it: takeovers of the old one then fail. */
export function claimAnew(
  state: SkuClaim,
  sku: string,
  productId: string,
): Decision<SkuClaimEvent> {
  if (state.productId !== productId) return claim(state, sku, productId)
  return [{ type: 'SkuClaimed', data: { sku, productId } }]
}

/** Gives a SKU to a product instead of one that does not use it, if the claim is as `seen`. */
export function takeOver(
  state: SkuClaim,
  sku: string,
  { productId, seen }: { productId: string; seen: SkuClaim },
): Decision<SkuClaimEvent> {
  const isSame = state.productId === seen.productId && state.claims === seen.claims
  if (!isSame || state.productId === null) return claim(state, sku, productId)
  return [
    { type: 'SkuReleased', data: { sku, productId: state.productId } },
    { type: 'SkuClaimed', data: { sku, productId } },
  ]
}

/** Gives up a product's SKU, so that another may have it; a SKU of another product stays. */
export function release(state: SkuClaim, sku: string, productId: string): Decision<SkuClaimEvent> {
  if (state.productId !== productId) return []
  return [{ type: 'SkuReleased', data: { sku, productId } }]
}
