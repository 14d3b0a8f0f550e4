// Rules that span streams: a SKU and a category name belong to one, and no listed product is in a
// category that is gone.
import { type Check, type LogEvent, named, type Report, text } from './evidence.ts'

interface Product {
  sku: string
  categoryId: string | null
  isListed: boolean
}

interface Category {
  name: string
  isListed: boolean
}

export function claimChecks(report: Report): Check {
  return new ClaimChecks(report)
}

class ClaimChecks implements Check {
  readonly #report: Report
  readonly #products = new Map<string, Product>()
  readonly #categories = new Map<string, Category>()
  readonly #claims = new Map<string, string | null>()

  constructor(report: Report) {
    this.#report = report
  }

  see(event: LogEvent): void {
    if (event.stream.startsWith('product-')) this.#seeProduct(event)
    if (event.stream.startsWith('category-')) this.#seeCategory(event)
    this.#seeClaim(event)
  }

  #seeProduct(event: LogEvent): void {
    const product = this.#products.get(event.stream.slice('product-'.length))
    if (event.type === 'ProductCreated' || event.type === 'ProductRestored') this.#list(event)
    else if (event.type === 'ProductDeleted' && product !== undefined) product.isListed = false
    else if (product?.isListed && 'categoryId' in event.data) this.#list(event)
  }

  #list(event: LogEvent): void {
    const id = event.stream.slice('product-'.length)
    const before = this.#products.get(id)
    const sku = text(event, 'sku') || (before?.sku ?? '')
    for (const [other, each] of this.#products) {
      if (other === id || !each.isListed || each.sku !== sku) continue
      const says = `${named(event)} gives ${sku} of ${other} to ${id}.`
      this.#report('a SKU belongs to one product', says)
    }
    const isSaid = 'categoryId' in event.data
    const categoryId = isSaid ? text(event, 'categoryId') || null : (before?.categoryId ?? null)
    this.#products.set(id, { sku, categoryId, isListed: true })
    if (categoryId !== null && this.#categories.get(categoryId)?.isListed !== true) {
      const says = `${named(event)} puts it into category ${categoryId}, which is not there.`
      this.#report('a listed product is in no category that is gone', says)
    }
  }

  #seeCategory(event: LogEvent): void {
    const id = event.stream.slice('category-'.length)
    if (event.type === 'CategoryDeleted') this.#delete(event, id)
    if (event.type !== 'CategoryCreated' && event.type !== 'CategoryChanged') return
    const before = this.#categories.get(id)
    const name = text(event, 'name').trim().toLowerCase() || (before?.name ?? '')
    const isOther = ([key, each]: [string, Category]) =>
      key !== id && each.isListed && each.name === name
    const [other] = [...this.#categories].find(isOther) ?? []
    this.#categories.set(id, { name, isListed: true })
    if (other === undefined) return
    const says = `${named(event)} gives it the name of category ${other}.`
    this.#report('a category name belongs to one category', says)
  }

  #delete(event: LogEvent, id: string): void {
    const category = this.#categories.get(id)
    if (category !== undefined) category.isListed = false
    for (const [productId, { categoryId, isListed }] of this.#products) {
      if (categoryId !== id || !isListed) continue
      const says = `${named(event)} leaves product ${productId} in it.`
      this.#report('a listed product is in no category that is gone', says)
    }
  }

  #seeClaim(event: LogEvent): void {
    if (/^(Sku|CategoryName)Released$/.test(event.type)) this.#claims.set(event.stream, null)
    if (!/^(Sku|CategoryName)Claimed$/.test(event.type)) return
    const by = text(event, 'productId') || text(event, 'categoryId')
    const before = this.#claims.get(event.stream) ?? null
    this.#claims.set(event.stream, by)
    if (before === null || before === by) return
    this.#report('a claim has one holder', `${named(event)} takes it from ${before}.`)
  }
}
