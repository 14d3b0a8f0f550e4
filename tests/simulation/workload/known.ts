// What the makers of a workload know so far: who is there, and what there may be by then.
import { derivedId, idOf } from '../../../src/commands/core/ids.ts'
import type { Actor, Role } from '../../../src/domain/kernel/types.ts'
import type { Random } from '../../support/random.ts'

export interface Person {
  name: string
  actor: Exclude<Actor, { role: 'anonymous' }>
}

/** Somebody asks for something: all of it is plain JSON, so that it can be printed. */
export interface Asked {
  name: string
  input: Readonly<Record<string, unknown>>
  /** Name of a person, or of a guest's cart. */
  by: string
  /** The revision that they have seen. */
  expectedRevision?: number
}

export interface Known {
  random: Random
  customers: readonly string[]
  /** All products, the one in greatest demand first. */
  products: string[]
  /** SKUs that are fought over. */
  skus: readonly string[]
  categories: string[]
  images: { of: string; imageId: string }[]
  /** Orders, with how many of the usual steps have been asked for: to pay, to ship, to deliver. */
  orders: { orderId: string; by: string; steps: number }[]
  /** How often the product in greatest demand is meant. */
  heat: number
  /** How long an order waits to be paid, in virtual milliseconds. */
  expiryMs: number
  refunds: { orderId: string; refundId: string }[]
}

/** One kind of thing that is asked for. */
export interface Maker {
  /** Of the command, or of what is made of several. */
  name: string
  /** How often, compared with others. */
  weight: number
  /** Undefined where there is nothing yet that it could be about. */
  make(known: Known): Omit<Asked, 'name'> | undefined
  /** Learns what there will be, once the id of the command is known. */
  learn?(known: Known, commandId: string, asked: Asked): void
  /** What is asked for next about the same thing, often while this is still under way. */
  next?(known: Known, commandId: string, asked: Asked): FollowUp[]
}

export interface FollowUp extends Asked {
  /** So many virtual milliseconds later. */
  afterMs: number
}

const staff: readonly [string, Role][] = [
  ['admin', 'admin'],
  ['support', 'support'],
  ['warehouse', 'warehouse'],
]
export const customerNames = ['ann', 'bob', 'cleo', 'dan']

export const personId = (name: string) => idOf('person', name)

/** Everybody, by name; guests and the shop itself are not among them. */
export const people: ReadonlyMap<string, Person> = new Map(
  [...staff, ...customerNames.map(name => [name, 'customer'] as const)].map(([name, role]) => {
    const roles: Role[] = role === 'customer' ? ['customer'] : ['customer', role]
    return [name, { name, actor: { role, id: personId(name), roles } }]
  }),
)

/** The id of a command, as it follows from whose it is and from its key. */
export const commandIdOf = (by: string, name: string, key: string) => idOf('key', by, name, key)
export const guestCartIdOf = (by: string) => idOf('guest-cart', by)

export function pick<T>(random: Random, options: readonly T[]): T | undefined {
  return options[random.between(0, Math.max(0, options.length - 1))]
}

/** While what came before is still under way, or some seconds later. */
export function soonMs({ random }: Known): number {
  return random.next() < 0.6 ? random.next() * random.pick([6, 25]) : random.between(200, 4_000)
}

/** Mostly the first one, for which everybody fights. */
export function hot({ random, products, heat }: Known): string | undefined {
  return random.next() < heat ? products[0] : pick(random, products)
}

export const productIdOf = (commandId: string) => derivedId(commandId, 'product')
export const orderIdOf = (commandId: string) => derivedId(commandId, 'order')
export const categoryIdOf = (commandId: string) => derivedId(commandId, 'category')
