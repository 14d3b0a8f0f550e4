// The plan of a run: what is asked for when, made from a seed before anything happens. Leaving out
// some of it leaves the rest as it is.
import { randomFrom } from '../../support/random.ts'
import { hashOf } from '../draws.ts'
import { type Setting, settingFrom } from '../setting.ts'
import {
  type Asked,
  commandIdOf,
  customerNames,
  type Known,
  type Maker,
  personId,
} from './known.ts'
import { imports, peoples } from './people.ts'
import { shopping } from './shopping.ts'
import { staff } from './staff.ts'

/** A request of a client, with the key under which it is asked again until it is answered. */
export interface Request extends Asked {
  key: string
  /** When it is sent, in virtual milliseconds. */
  at: number
}

export interface Plan {
  seed: number
  setting: Setting
  /** Asked before anything goes wrong, one after the other. */
  opening: readonly Request[]
  requests: readonly Request[]
}

/** Everything that is asked for. */
export const makers: readonly Maker[] = [...shopping, ...staff, ...peoples, ...imports]

/** The plan of a seed. */
export function planOf(seed: number): Plan {
  const random = randomFrom(hashOf(`plan ${seed}`))
  const setting = settingFrom(random)
  const known: Known = {
    random,
    customers: customerNames.slice(0, random.between(1, customerNames.length)),
    products: [],
    skus: ['S-1', 'S-2', 's-3'],
    categories: [],
    images: [],
    orders: [],
    heat: random.pick([0.5, 0.7, 0.95]),
    expiryMs: setting.orderExpiryMs,
    refunds: [],
  }
  const opening = openingOf(known)
  const count = random.pick([20, 30, 50, 50, 80, 120])
  const requests: Request[] = []
  const focus = focusOf(known)
  let at = 0
  for (let nth = 1; nth <= count; nth += 1) {
    // A third comes at the same moment as what was before.
    if (random.next() > 0.35) at += 2 * (setting.busyMs / count) * random.next()
    const asked = make(known, focus)
    if (asked !== undefined) add(known, requests, { asked, at })
  }
  return { seed, setting, opening, requests: requests.toSorted((a, b) => a.at - b.at) }
}

/** Adds what is asked for, and what follows from it. */
function add(known: Known, requests: Request[], { asked, at }: { asked: Asked; at: number }): void {
  const key = `r${requests.length + 1}`
  requests.push({ ...asked, key, at: Math.round(at) })
  const maker = makers.find(({ name }) => name === asked.name)
  const commandId = commandIdOf(asked.by, asked.name, key)
  maker?.learn?.(known, commandId, asked)
  for (const { afterMs, ...next } of maker?.next?.(known, commandId, asked) ?? []) {
    add(known, requests, { asked: next, at: at + afterMs })
  }
}

/** In most runs some things are asked for more often: only then rare things meet each other. */
function focusOf({ random }: Known): (maker: Maker) => number {
  const lifted = new Set(makers.filter(() => random.next() < 0.12).map(({ name }) => name))
  const dropped = new Set(makers.filter(() => random.next() < 0.3).map(({ name }) => name))
  return ({ name, weight }) => {
    if (lifted.has(name)) return weight * 5
    return dropped.has(name) && weight < 10 ? 0 : weight
  }
}

function make(known: Known, focus: (maker: Maker) => number): Asked | undefined {
  const weights = makers.map(focus)
  let left = known.random.next() * weights.reduce((sum, weight) => sum + weight, 0)
  const nth = weights.findIndex(weight => {
    left -= weight
    return left < 0
  })
  const maker = makers[nth]
  const made = maker?.make(known)
  return maker === undefined || made === undefined ? undefined : { name: maker.name, ...made }
}

/** People, a scarce product that everybody wants, and others. */
function openingOf(known: Known): Request[] {
  const { random, customers } = known
  const requests: Request[] = []
  const ask = (asked: Asked) => {
    const request = { ...asked, key: `o${requests.length + 1}`, at: 0 }
    requests.push(request)
    const maker = makers.find(({ name }) => name === asked.name)
    maker?.learn?.(known, commandIdOf(asked.by, asked.name, request.key), asked)
  }
  for (const name of customers) {
    const register = { customerId: personId(name), username: name }
    ask({ name: 'RegisterCustomer', input: register, by: 'shop' })
  }
  ask({ name: 'CreateCategory', input: { name: 'Tea' }, by: 'admin' })
  for (const [nth, sku] of ['H-1', 'H-2', 'H-3'].entries()) {
    const price = { amount: 100 * (nth + 1), currency: 'GBP' }
    const stock = nth === 0 ? random.between(1, random.pick([5, 30])) : random.between(2, 20)
    const categoryId = nth === 2 ? (known.categories[0] ?? null) : null
    const input = { name: `Tea ${nth + 1}`, sku, price, stock, categoryId }
    ask({ name: 'CreateProduct', input, by: 'admin' })
  }
  return requests
}
