// News of orders between processes: told with what came before, looked up where that is unsure.
import { describe, expect, it } from 'vitest'
import { readOrderNews } from '../../src/api/orderNews.ts'
import { orderTeller } from '../../src/workers/orderTeller.ts'
import { sampleNotification } from '../support/samples.ts'

const news = (...positions: bigint[]) => positions.map(sampleNotification)

function teller() {
  const told: string[] = []
  return { told, tell: orderTeller(text => told.push(text)) }
}

describe('telling news', () => {
  it('only calls the first time: nobody knows what came before', () => {
    const { told, tell } = teller()
    tell(news(7n))
    expect(told).toEqual([''])
    expect(readOrderNews('')).toBeUndefined()
  })

  it('says all of it from then on, and behind what it comes', () => {
    const { told, tell } = teller()
    tell(news(3n, 7n))
    tell(news(8n, 12n))
    tell(news(13n))
    expect(told.slice(1).map(readOrderNews)).toEqual([
      { after: 7n, notifications: news(8n, 12n) },
      { after: 12n, notifications: news(13n) },
    ])
  })

  it('only calls again after a call that did not say what was new', () => {
    const { told, tell } = teller()
    tell(news(3n))
    tell(undefined)
    tell(news(8n))
    tell(news(9n))
    expect(told.slice(0, 3)).toEqual(['', '', ''])
    expect(readOrderNews(told[3] ?? '')?.after).toBe(8n)
  })

  it('only calls where there is much, and goes on behind it', () => {
    const { told, tell } = teller()
    tell(news(1n))
    tell(news(...Array.from({ length: 201 }, (_, n) => BigInt(n + 2))))
    tell(news(300n))
    expect(told[1]).toBe('')
    expect(readOrderNews(told[2] ?? '')).toEqual({ after: 202n, notifications: news(300n) })
  })
})

describe('news that are not in this form', () => {
  it.each([
    ['another object', '{"news":[]}'],
    ['a position that is none', '{"after":"-1","notifications":[]}'],
    ['a status that does not exist', '{"after":"1","notifications":[{"status":"lost"}]}'],
    ['no JSON', 'hello'],
  ])('are looked up like those of a mere call: %s', (_, text) => {
    expect(readOrderNews(text)).toBeUndefined()
  })
})
