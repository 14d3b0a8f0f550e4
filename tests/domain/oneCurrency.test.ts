// Amounts of two currencies are never added up or compared; carts and orders refuse them.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addItem, type CartEvent, cart } from '../../src/domain/cart/cart.ts'
import { merge } from '../../src/domain/cart/cartMerge.ts'
import { add, compare, MixedCurrencies, sum } from '../../src/domain/kernel/money.ts'
import type { Money } from '../../src/domain/kernel/types.ts'
import { order } from '../../src/domain/order/order.ts'
import { refund, returnItems, submit } from '../../src/domain/order/orderDecisions.ts'
import { requestRefund } from '../../src/domain/order/orderPayments.ts'
import { forAll } from '../support/property.ts'
import {
  cartId,
  cartLine,
  customerId,
  gbp,
  orderEvents,
  orderLine,
  otherProductId,
  sampleId,
  submission,
} from '../support/samples.ts'
import { given } from '../support/specification.ts'

const eur = (amount: number): Money => ({ amount, currency: 'EUR' })
const code = 'order/mixed-currencies'
const money = fc.record({
  amount: fc.integer({ min: -1_000_000, max: 1_000_000 }),
  currency: fc.constantFrom('GBP', 'EUR', 'JPY'),
})

describe('arithmetic', () => {
  it('adds up amounts of one currency, and throws for any other one among them', () =>
    forAll(fc.tuple(fc.array(money), fc.constantFrom('GBP', 'EUR')), ([amounts, currency]) => {
      const foreign = amounts.filter(each => each.currency !== currency)
      if (foreign.length > 0) {
        expect(() => sum(amounts, currency)).toThrow(MixedCurrencies)
        return
      }
      let total = 0
      for (const { amount } of amounts) total += amount
      expect(sum(amounts, currency)).toEqual({ amount: total, currency })
    }))

  it.each([
    ['adding', add],
    ['comparing', compare],
  ])('throws when %s amounts of two currencies', (_, operation) =>
    forAll(fc.tuple(money, money), ([one, other]) => {
      const run = () => operation(one, other)
      if (one.currency === other.currency) expect(run).not.toThrow()
      else expect(run).toThrow(MixedCurrencies)
    }),
  )

  it('compares amounts of one currency', () => {
    expect(compare(gbp(1), gbp(2))).toBeLessThan(0)
    expect(compare(gbp(2), gbp(2))).toBe(0)
    expect(compare(gbp(3), gbp(2))).toBeGreaterThan(0)
  })
})

describe('a cart', () => {
  const opened: CartEvent = { type: 'CartOpened', data: { cartId, customerId } }
  const added: CartEvent = { type: 'ItemAddedToCart', data: { cartId, ...cartLine() } }
  const foreign = cartLine({ productId: otherProductId, unitPrice: eur(777) })

  it('takes nothing in another currency', () =>
    given(cart)(opened, added)
      .when(state => addItem(state, { cartId, customerId }, foreign, 10))
      .thenRejected(code))

  it('shows the new price of what it holds already', () =>
    given(cart)(opened, added)
      .when(state => addItem(state, { cartId, customerId }, cartLine({ unitPrice: eur(500) }), 10))
      .then([{ type: 'ItemAddedToCart', data: { cartId, ...cartLine({ unitPrice: eur(500) }) } }]))

  it('leaves out what a guest’s cart holds in another currency', () =>
    given(cart)(opened, added)
      .when(state => merge(state, customerId, { cartId: sampleId(22), lines: [foreign] }))
      .then([
        {
          type: 'CartMerged',
          data: {
            cartId: customerId,
            from: sampleId(22),
            lines: [],
            taken: [{ productId: otherProductId, quantity: 2 }],
          },
        },
      ]))
})

describe('an order', () => {
  const { submitted, placed, paid, shipped } = orderEvents
  const foreignLine = { ...orderLine(), unitPrice: eur(425), total: eur(850) }
  const charge = { code: 'POST', name: 'Postage', amount: eur(100) }

  it.each([
    ['a line', submission({ lines: [orderLine(), foreignLine] })],
    ['a unit price', submission({ lines: [{ ...orderLine(), unitPrice: eur(425) }] })],
    ['a charge', submission({ charges: [charge] })],
    ['its total', submission({ total: eur(850) })],
  ])('is refused when %s is in another currency', (_, input) =>
    given(order)()
      .when(state => submit(state, input))
      .thenRejected(code),
  )

  it.each([
    ['a line', { lines: [foreignLine], charges: [] }],
    ['a charge', { lines: [], charges: [charge] }],
  ])('takes nothing back when %s is in another currency', (_, parts) =>
    given(order)(submitted, placed, paid, shipped)
      .when(state => returnItems(state, { returnId: sampleId(71), reference: 'R-1', ...parts }))
      .thenRejected(code),
  )

  it.each([
    ['announced', requestRefund],
    ['recorded', refund],
  ])('is not paid back in another currency: %s', (_, decide) =>
    given(order)(submitted, placed, paid)
      .when(state => decide(state, { refundId: sampleId(61), amount: eur(1), reason: 'Broken' }))
      .thenRejected('order/refund-exceeds-capture'),
  )
})
