// News of orders between processes: told with what came before, looked up where that is unsure.

import { describe, expect, it } from 'vitest'
import type { Position } from '../../src/kit/position.ts'
import {
  decodeNotifications,
  type Notification,
  notificationSender,
} from '../../src/projections/order/orderNotifications.ts'
import { positionAt } from '../support/positions.ts'
import { sampleNotification } from '../support/samples.ts'

const news = (...positions: Position[]) => positions.map(sampleNotification)

function teller() {
  const told: string[] = []
  const send = notificationSender(text => told.push(text))
  return { told, tell: (some: Notification[] | undefined) => send([some]) }
}

describe('telling news', () => {
  it('only calls the first time: nobody knows what came before', () => {
    const { told, tell } = teller()
    tell(news(positionAt(7)))
    expect(told).toEqual([''])
    expect(decodeNotifications('')).toBeUndefined()
  })

  it('says all of it from then on, and behind what it comes', () => {
    const { told, tell } = teller()
    tell(news(positionAt(3), positionAt(7)))
    tell(news(positionAt(8), positionAt(12)))
    tell(news(positionAt(13)))
    expect(told.slice(1).map(decodeNotifications)).toEqual([
      { after: positionAt(7), notifications: news(positionAt(8), positionAt(12)) },
      { after: positionAt(12), notifications: news(positionAt(13)) },
    ])
  })

  it('only calls again after a call that did not say what was new', () => {
    const { told, tell } = teller()
    tell(news(positionAt(3)))
    tell(undefined)
    tell(news(positionAt(8)))
    tell(news(positionAt(9)))
    expect(told.slice(0, 3)).toEqual(['', '', ''])
    expect(decodeNotifications(told[3] ?? '')?.after).toBe(positionAt(8))
  })

  it('only calls where there is much, and goes on behind it', () => {
    const { told, tell } = teller()
    tell(news(positionAt(1)))
    tell(news(...Array.from({ length: 201 }, (_, n) => positionAt(n + 2))))
    tell(news(positionAt(300)))
    expect(told[1]).toBe('')
    expect(decodeNotifications(told[2] ?? '')).toEqual({
      after: positionAt(202),
      notifications: news(positionAt(300)),
    })
  })
})

describe('news that are not in this form', () => {
  it.each([
    ['another object', '{"news":[]}'],
    ['a position that is none', '{"after":"-1","notifications":[]}'],
    ['a status that does not exist', '{"after":"1","notifications":[{"status":"lost"}]}'],
    ['no JSON', 'hello'],
  ])('are looked up like those of a mere call: %s', (_, text) => {
    expect(decodeNotifications(text)).toBeUndefined()
  })
})
