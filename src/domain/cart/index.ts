// What the cart context adds to the domain: its aggregates, by the name of their repository.
import { cart } from './cart.ts'

export const cartAggregates = { carts: cart }
