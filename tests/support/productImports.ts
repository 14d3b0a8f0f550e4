// Uploads files of products, waits for the importer, and makes files of any size.
import { expect } from 'vitest'
import type { Answer } from './apiClient.ts'
import { newKey } from './goods.ts'
import type { TestShop } from './testShop.ts'
import { waitFor } from './waitFor.ts'

export const csv = 'text/csv'
export const ndjson = 'application/x-ndjson'

interface UploadOptions {
  type?: string
  key?: string
  dryRun?: boolean
}

/** Uploads a file as the admin. */
export function upload(
  shop: TestShop,
  file: string | Buffer,
  { type = csv, key = newKey(), dryRun = false }: UploadOptions = {},
): Promise<Answer> {
  return shop.admin.client.post(`/products/imports?dryRun=${dryRun}`, file, {
    key,
    headers: { 'content-type': type },
  })
}

/** Waits until an import has one of these statuses. */
export function until(shop: TestShop, id: string, ...statuses: string[]): Promise<Answer> {
  return waitFor(
    `import ${statuses.join(' or ')}`,
    async () => {
      const answer = await shop.as(shop.admin.access).get(`/products/imports/${id}`)
      return statuses.includes(String(answer.body.status)) ? answer : undefined
    },
    120_000,
  )
}

/** Uploads a file and waits for its end. */
export async function importFile(shop: TestShop, file: string | Buffer, options?: UploadOptions) {
  const answer = await upload(shop, file, options)
  expect(answer.status, JSON.stringify(answer.body)).toBe(202)
  return until(shop, answer.body.id, 'finished', 'failed', 'cancelled')
}

export async function undo(shop: TestShop, id: string) {
  const answer = await shop.admin.client.post(`/products/imports/${id}/undo`)
  expect(answer.status, JSON.stringify(answer.body)).toBe(202)
  return until(shop, id, 'undone')
}

/** What the log says of the product with a SKU. */
export async function productBySku({ back }: TestShop, sku: string) {
  const claim = await back.shop.skuClaims.load(encodeURIComponent(sku.toUpperCase()))
  const { productId } = claim.state
  if (productId === null) return undefined
  const { state, revision } = await back.shop.products.load(productId)
  const stock = await back.shop.stock.load(productId)
  return { ...state, productId, revision, onHand: stock.state.onHand }
}

/** A CSV file of so many products. */
export function manyProducts(rows: number, prefix = 'BULK'): string {
  const lines = Array.from(
    { length: rows },
    (_, index) =>
      `${prefix}-${index},"Lantern ${index}, brass","Burns for ${index % 24} hours",` +
      `${(index % 90) + 1}.50,Lanterns ${index % 10},${index % 50}`,
  )
  return ['sku,name,description,price,category,stock', ...lines].join('\n')
}
