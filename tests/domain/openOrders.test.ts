// Claims of unpaid orders: how many, how many pieces, and what makes room.
import { describe, it } from 'vitest'
import { claimUnpaid, type OpenOrderEvent, openOrders } from '../../src/domain/order/openOrders.ts'
import { customerId, sampleId } from '../support/samples.ts'
import { given } from '../support/specification.ts'

const claimed = (id: number, pieces = 2, ended: string[] = []): OpenOrderEvent => ({
  type: 'UnpaidOrderClaimed',
  data: { customerId, orderId: sampleId(id), pieces, ended },
})
const wish = (id: number, pieces = 2, ended: string[] = []) => claimed(id, pieces, ended).data
const bounds = { orders: 2, pieces: 5 }
const givenClaims = given(openOrders)

describe('claiming an unpaid order', () => {
  it('is recorded once', () => {
    givenClaims()
      .when(state => claimUnpaid(state, wish(1), bounds))
      .then([claimed(1)])
    givenClaims(claimed(1), claimed(2))
      .when(state => claimUnpaid(state, wish(2), bounds))
      .thenNothing()
  })

  it('is refused beyond the most orders, and beyond the most pieces', () => {
    givenClaims(claimed(1), claimed(2))
      .when(state => claimUnpaid(state, wish(3, 1), bounds))
      .thenRejected('order/too-many-unpaid', { limits: bounds })
    givenClaims(claimed(1))
      .when(state => claimUnpaid(state, wish(2, 4), bounds))
      .thenRejected('order/too-many-unpaid', { limits: bounds })
    givenClaims(claimed(1))
      .when(state => claimUnpaid(state, wish(2, 3), bounds))
      .then([claimed(2, 3)])
  })

  it('has no bound where that is 0', () => {
    givenClaims(claimed(1), claimed(2))
      .when(state => claimUnpaid(state, wish(3, 900), { orders: 0, pieces: 0 }))
      .then([claimed(3, 900)])
  })

  it('takes the place of those that have ended, of which only known ones are recorded', () => {
    const ended = [sampleId(1)]
    givenClaims(claimed(1), claimed(2))
      .when(state => claimUnpaid(state, wish(3, 2, [...ended, sampleId(9)]), bounds))
      .then([claimed(3, 2, ended)])
    givenClaims(claimed(1), claimed(2), claimed(3, 2, ended))
      .when(state => claimUnpaid(state, wish(4, 1), bounds))
      .thenRejected('order/too-many-unpaid', { limits: bounds })
  })
})
