// What somebody sees who tries the shop out: a catalogue that makes itself.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { seedCatalogue } from '../src/main/sampleCatalogue.ts'
import { startTestApp, type TestApp } from './support/testApp.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app?.close())

it('the sample catalogue has 30 products in 6 categories, and comes once', async () => {
  const count = async () => {
    const after = await app.back.eventStore.head()
    const products = await app.anyone.get('/products?pageSize=100', { after })
    const categories = await app.anyone.get('/categories', { after })
    const used = new Set(products.body.data.map(({ categoryId }) => categoryId))
    expect([...used].toSorted()).toEqual(categories.body.data.map(({ id }) => id).toSorted())
    return [products.body.total, categories.body.total]
  }
  expect(await count()).toEqual([30, 6])
  await app.restart()
  expect(await count()).toEqual([30, 6])
})

it('a shop that has something of its own gets none', async () => {
  const other = await startTestApp({ workers: false })
  try {
    expect(await seedCatalogue(other.back)).toBe(0)
  } finally {
    await other.close()
  }
})
