// Uploads files of products, waits for the importer, and makes files of any size.
import { expect } from 'vitest'
import type { Answer } from './apiClient.ts'
import { newKey } from './goods.ts'
import type { TestApp } from './testApp.ts'
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
  app: TestApp,
  file: string | Buffer,
  { type = csv, key = newKey(), dryRun = false }: UploadOptions = {},
): Promise<Answer> {
  return app.admin.client.post(`/products/imports?dryRun=${dryRun}`, file, {
    key,
    headers: { 'content-type': type },
  })
}

/** Waits until an import has one of these statuses. */
export function until(app: TestApp, id: string, ...statuses: string[]): Promise<Answer> {
  return waitFor(
    `import ${statuses.join(' or ')}`,
    async () => {
      const answer = await app.as(app.admin.access).get(`/products/imports/${id}`)
      return statuses.includes(String(answer.body.status)) ? answer : undefined
    },
    120_000,
  )
}

/** Uploads a file and waits for its end. */
export async function importFile(app: TestApp, file: string | Buffer, options?: UploadOptions) {
  const answer = await upload(app, file, options)
  expect(answer.status, JSON.stringify(answer.body)).toBe(202)
  return until(app, answer.body.id, 'finished', 'failed', 'cancelled')
}

export async function undo(app: TestApp, id: string) {
  const answer = await app.admin.client.post(`/products/imports/${id}/undo`)
  expect(answer.status, JSON.stringify(answer.body)).toBe(202)
  return until(app, id, 'undone')
}

/** What the log says of the product with a SKU. */
export async function productBySku({ back }: TestApp, sku: string) {
  const claim = await back.app.skuClaims.load(encodeURIComponent(sku.toUpperCase()))
  const { productId } = claim.state
  if (productId === null) return undefined
  const { state, revision } = await back.app.products.load(productId)
  const stock = await back.app.stock.load(productId)
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
