// Rules that span streams: a SKU and a category name belong to one, and no listed product is in a
// category that is gone. Each stream is folded to what it holds from when to when; then all that is
// held under one name is compared, wherever it comes from.
import { type Check, type LogEvent, named, type Report, type Scope, text } from './evidence.ts'

/** The period, in log positions, in which a holder holds a claim. */
export interface ClaimPeriod {
  /** `listed` is that a category is there, `in` that a product is in it. */
  kind: 'sku' | 'name' | 'listed' | 'in'
  /** The SKU, the name, or the id of the category. */
  key: string
  holder: string
  from: number
  to: number | null
  /** The events at both ends. */
  begunBy: string
  endedBy: string
}

const oneSku = 'a SKU belongs to one product'
const oneName = 'a category name belongs to one category'
const noLostCategory = 'a listed product is in no category that is gone'
const oneHolder = 'a claim has one holder'

type OnPeriod = (period: ClaimPeriod) => void

/** Reports the periods of products and categories, and checks single claims. */
export function collectPeriods(onPeriod: OnPeriod, report: Report, scope: Scope): Check {
  return new ClaimPeriods(onPeriod, report, scope)
}

class ClaimPeriods implements Check {
  readonly #keep: OnPeriod
  readonly #report: Report
  readonly #scope: Scope
  /** By kind and holder, what is held now. */
  readonly #held = new Map<string, ClaimPeriod>()
  /** By kind and holder, the command since which that is so. */
  readonly #since = new Map<string, string>()
  readonly #skus = new Map<string, string>()
  readonly #categories = new Map<string, string>()
  /** By product: the category that it is in, or was. */
  readonly #categoryOf = new Map<string, string>()
  readonly #claims = new Map<string, string | null>()

  constructor(onPeriod: OnPeriod, report: Report, scope: Scope) {
    this.#keep = onPeriod
    this.#report = report
    this.#scope = scope
  }

  see(event: LogEvent): void {
    if (!this.#scope.hasStream(event.stream)) return
    if (event.stream.startsWith('product-')) this.#seeProduct(event)
    if (event.stream.startsWith('category-')) this.#seeCategory(event)
    this.#seeClaim(event)
  }

  conclude(): void {
    for (const period of this.#held.values()) this.#keep(period)
  }

  examined(): Record<string, number> {
    const products = this.#skus.size
    return {
      [oneSku]: products,
      [noLostCategory]: products,
      [oneName]: this.#categories.size,
      [oneHolder]: this.#claims.size,
    }
  }

  #seeProduct(event: LogEvent): void {
    const id = event.stream.slice('product-'.length)
    if (event.type === 'ProductDeleted') {
      this.#end('sku', id, event)
      this.#end('in', id, event)
    }
    const isListed = this.#held.has(`sku ${id}`)
    const isNew = event.type === 'ProductCreated' || event.type === 'ProductRestored'
    if (!isNew && !isListed) return
    if (event.type === 'ProductCreated') this.#skus.set(id, text(event, 'sku'))
    if (isNew) this.#begin('sku', this.#skus.get(id) ?? '', event)
    if ('categoryId' in event.data) this.#categoryOf.set(id, text(event, 'categoryId'))
    else if (!isNew) return
    const category = this.#categoryOf.get(id) ?? ''
    if (this.#held.get(`in ${id}`)?.key === category) return
    this.#end('in', id, event)
    if (category !== '') this.#begin('in', category, event)
  }

  #seeCategory(event: LogEvent): void {
    const id = event.stream.slice('category-'.length)
    if (event.type === 'CategoryDeleted') {
      this.#end('name', id, event)
      this.#end('listed', id, event)
    }
    if (event.type !== 'CategoryCreated' && event.type !== 'CategoryChanged') return
    const before = this.#categories.get(id)
    const name = text(event, 'name').trim().toLowerCase() || (before ?? '')
    this.#categories.set(id, name)
    if (!this.#held.has(`listed ${id}`)) this.#begin('listed', id, event)
    if (before === name && this.#held.has(`name ${id}`)) return
    this.#end('name', id, event)
    this.#begin('name', name, event)
  }

  #begin(kind: ClaimPeriod['kind'], key: string, event: LogEvent): void {
    const holder = event.stream.slice(event.stream.indexOf('-') + 1)
    const times = { from: event.position, to: null, begunBy: named(event), endedBy: '' }
    this.#end(kind, holder, event)
    this.#held.set(`${kind} ${holder}`, { kind, key, holder, ...times })
    this.#since.set(`${kind} ${holder}`, event.commandId)
  }

  #end(kind: ClaimPeriod['kind'], holder: string, event: LogEvent): void {
    const held = this.#held.get(`${kind} ${holder}`)
    if (held === undefined) return
    this.#held.delete(`${kind} ${holder}`)
    // The events of one command appear together: states between them were never visible.
    if (this.#since.get(`${kind} ${holder}`) === event.commandId) return
    this.#keep({ ...held, to: event.position, endedBy: named(event) })
  }

  #seeClaim(event: LogEvent): void {
    if (/^(Sku|CategoryName)Released$/.test(event.type)) this.#claims.set(event.stream, null)
    if (!/^(Sku|CategoryName)Claimed$/.test(event.type)) return
    const by = text(event, 'productId') || text(event, 'categoryId')
    const before = this.#claims.get(event.stream) ?? null
    this.#claims.set(event.stream, by)
    if (before === null || before === by) return
    this.#report(oneHolder, `${named(event)} takes it from ${before}.`)
  }
}

/** Compares all that is held under some keys. */
export function claimChecks(periods: Iterable<ClaimPeriod>, report: Report): void {
  const byKey = Map.groupBy(periods, ({ kind, key }) => `${namespaces[kind]} ${key}`)
  for (const all of byKey.values()) {
    const inOrder = all.toSorted((one, other) => one.from - other.from)
    shared(inOrder, report)
    lost(inOrder, report)
  }
}

const namespaces = { sku: 'sku', name: 'name', listed: 'category', in: 'category' } as const

/** What two hold at a time. */
function shared(inOrder: readonly ClaimPeriod[], report: Report): void {
  let holding: ClaimPeriod[] = []
  for (const period of inOrder) {
    const { kind, key, holder, from, begunBy } = period
    if (kind !== 'sku' && kind !== 'name') continue
    holding = holding.filter(({ to }) => to === null || to > from)
    const other = holding.find(each => each.holder !== holder)
    holding.push(period)
    if (other === undefined) continue
    if (kind === 'sku') report(oneSku, `${begunBy} gives ${key} of ${other.holder} to ${holder}.`)
    else report(oneName, `${begunBy} gives it the name of category ${other.holder}.`)
  }
}

/** Products in a category that is not there. */
function lost(inOrder: readonly ClaimPeriod[], report: Report): void {
  const listed = inOrder.filter(({ kind }) => kind === 'listed')
  for (const { kind, key, holder, from, to, begunBy } of inOrder) {
    if (kind !== 'in') continue
    const there = listed.findLast(each => each.from < from)
    if (there === undefined || (there.to !== null && there.to < from)) {
      report(noLostCategory, `${begunBy} puts it into category ${key}, which is not there.`)
    } else if (there.to !== null && (to === null || to > there.to)) {
      report(noLostCategory, `${there.endedBy} leaves product ${holder} in it.`)
    }
  }
}
