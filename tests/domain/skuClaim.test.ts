// A SKU belongs to one product.
import { describe, expect, it } from 'vitest'
import {
  claim,
  normalizeSku,
  release,
  type SkuClaimEvent,
  skuClaim,
} from '../../src/domain/catalogue/skuClaim.ts'
import { otherProductId, productId } from '../support/samples.ts'
import { given } from '../support/specification.ts'

const givenSku = given(skuClaim)
const claimed: SkuClaimEvent = { type: 'SkuClaimed', data: { sku: 'LANTERN', productId } }

describe('claiming a SKU', () => {
  it('gives a free one to the product', () =>
    givenSku()
      .when(state => claim(state, 'LANTERN', productId))
      .then([claimed]))

  it('is refused when another product has it', () =>
    givenSku(claimed)
      .when(state => claim(state, 'LANTERN', otherProductId))
      .thenRejected('product/sku-taken', { sku: 'LANTERN' }))

  it('adds nothing when the product has it already', () =>
    givenSku(claimed)
      .when(state => claim(state, 'LANTERN', productId))
      .thenNothing())
})

describe('releasing a SKU', () => {
  const released: SkuClaimEvent = { type: 'SkuReleased', data: { sku: 'LANTERN', productId } }

  it('lets another product have it', () => {
    givenSku(claimed)
      .when(state => release(state, 'LANTERN', productId))
      .then([released])
    givenSku(claimed, released)
      .when(state => claim(state, 'LANTERN', otherProductId))
      .then([{ type: 'SkuClaimed', data: { sku: 'LANTERN', productId: otherProductId } }])
  })

  it('leaves one alone that another product has', () =>
    givenSku(claimed)
      .when(state => release(state, 'LANTERN', otherProductId))
      .thenNothing())

  it('adds nothing when it is free already', () =>
    givenSku(claimed, released)
      .when(state => release(state, 'LANTERN', productId))
      .thenNothing())
})

describe('two SKUs', () => {
  it.each(['lantern', 'LANTERN', ' Lantern ', '\tlantern\n'])('are the same in %j', sku =>
    expect(normalizeSku(sku)).toBe('LANTERN'),
  )

  it('differ by what is inside them', () =>
    expect(normalizeSku('85123 A')).not.toBe(normalizeSku('85123A')))
})
