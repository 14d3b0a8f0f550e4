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
    refunds: [],
  }
  const opening = openingOf(known)
  const count = random.pick([20, 40, 60, 60, 90, 150])
  const requests: Request[] = []
  const focus = focusOf(known)
  let at = 0
  while (requests.length < count) {
    // A third comes at the same moment as what was before.
    if (random.next() > 0.35) at += 2 * (setting.busyMs / count) * random.next()
    const request = make(known, focus, { key: `r${requests.length + 1}`, at: Math.round(at) })
    if (request !== undefined) requests.push(request)
  }
  return { seed, setting, opening, requests }
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

function make(
  known: Known,
  focus: (maker: Maker) => number,
  { key, at }: { key: string; at: number },
): Request | undefined {
  const weights = makers.map(focus)
  let left = known.random.next() * weights.reduce((sum, weight) => sum + weight, 0)
  const nth = weights.findIndex(weight => {
    left -= weight
    return left < 0
  })
  const maker = makers[nth]
  const made = maker?.make(known)
  if (maker === undefined || made === undefined) return undefined
  const asked = { name: maker.name, ...made }
  maker.learn?.(known, commandIdOf(asked.by, asked.name, key), asked)
  return { ...asked, key, at }
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
    const stock = nth === 0 ? random.between(1, 5) : random.between(2, 20)
    const categoryId = nth === 2 ? (known.categories[0] ?? null) : null
    const input = { name: `Tea ${nth + 1}`, sku, price, stock, categoryId }
    ask({ name: 'CreateProduct', input, by: 'admin' })
  }
  return requests
}
