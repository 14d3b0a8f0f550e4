// Stock in a bulk import of products that are there: a count, which sales and other counts respect.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readStream } from '../../src/ports/eventStore.ts'
import { gbp, newOrder, newProduct } from '../support/goods.ts'
import { importFile, ndjson, productBySku, undo } from '../support/productImports.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app?.close())

const stocked = (sku: string, stock: number) =>
  newProduct(app, { sku, name: 'Kept', price: gbp(100), stock })
const onHand = async (sku: string) => (await productBySku(app, sku))?.onHand

/** The events of a product's stock behind its first, by type and difference. */
async function movements(productId: string) {
  const found: unknown[] = []
  for await (const { type, data } of readStream(app.back.eventStore, `stock-${productId}`)) {
    found.push([type, data.delta])
  }
  return found.slice(1)
}

describe('the stock of a product that is there', () => {
  it.each([
    ['CSV', undefined, 'sku,stock\nc-csv,40\nc-csv-same,5'],
    ['NDJSON', ndjson, '{"sku":"c-nd","stock":40}\n{"sku":"c-nd-same","stock":"5"}'],
  ])('is counted in %s, in a dry run only said to be', async (_, type, file) => {
    const sku = type === undefined ? 'c-csv' : 'c-nd'
    const { id } = await stocked(sku, 7)
    await stocked(`${sku}-same`, 5)
    const options = type === undefined ? {} : { type }
    const counts = { created: 0, changed: 1, unchanged: 1, refused: 0 }
    expect((await importFile(app, file, { ...options, dryRun: true })).body).toMatchObject(counts)
    expect(await onHand(sku)).toBe(7)
    expect((await importFile(app, file, options)).body).toMatchObject(counts)
    expect(await onHand(sku)).toBe(40)
    expect(await movements(id)).toEqual([['StockCounted', 33]])
    // Again it is what there is.
    expect((await importFile(app, file, options)).body).toMatchObject({ unchanged: 2 })
    expect(await movements(id)).toHaveLength(1)
  })

  it('below what is promised is a fault of the row, and none of it is done', async () => {
    const { id } = await stocked('c-low', 9)
    await newOrder(await app.person(), id, 4)
    const file = 'sku,name,stock\nc-low,Renamed,3'
    const errors = [
      {
        line: 2,
        pointer: '/stock',
        detail: 'is below the 4 pieces that are reserved for open orders',
      },
    ]
    for (const dryRun of [true, false]) {
      const { body } = await importFile(app, file, { dryRun })
      expect(body).toMatchObject({ changed: 0, refused: 1, errors })
    }
    expect(await productBySku(app, 'c-low')).toMatchObject({ name: 'Kept', onHand: 9 })
    expect((await importFile(app, 'sku,stock\nc-low,4')).body).toMatchObject({ changed: 1 })
  })

  it('is taken back by an undo where nobody has moved it since', async () => {
    const left = await stocked('c-left', 7)
    await stocked('c-both', 7)
    const sold = await stocked('c-sold', 7)
    const mine = await stocked('c-mine', 7)
    const file = [
      'sku,price,stock',
      'c-left,,2',
      'c-both,2.00,30',
      'c-sold,3.00,30',
      'c-mine,4.00,30',
    ]
    const { body } = await importFile(app, file.join('\n'))
    expect(body).toMatchObject({ changed: 4 })
    const { client } = app.admin
    await client.patch(`/products/${left.id}`, { featured: true }, { ifMatch: '*' })
    await client.patch(`/products/${mine.id}`, { name: 'Mine now' }, { ifMatch: '*' })
    await newOrder(await app.person(), sold.id)

    const undone = await undo(app, body.id)
    expect(undone.body).toMatchObject({ undone: 2, kept: 2 })
    expect(undone.body.keptRows).toMatchObject([
      { sku: 'C-SOLD', why: 'its stock has moved since the import' },
      { sku: 'C-MINE', why: 'the product has changed since the import' },
    ])
    expect(await productBySku(app, 'c-left')).toMatchObject({ onHand: 7, featured: true })
    expect(await productBySku(app, 'c-both')).toMatchObject({ onHand: 7, price: gbp(100) })
    expect(await productBySku(app, 'c-sold')).toMatchObject({ onHand: 30, price: gbp(300) })
    expect(await productBySku(app, 'c-mine')).toMatchObject({ onHand: 30, price: gbp(400) })
  })
})
